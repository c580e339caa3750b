// Matrix-vector-activation unit: y = W^T x for each input vector x of MW elements, MH results, then (Stages > 0) the
// number of thresholds reached plus Bias.
//
// Each cycle takes SIMD inputs for PE outputs: a vector takes (MW / SIMD) * (MH / PE) cycles, without a pause between
// vectors. Input beat s carries elements s * SIMD .. + SIMD - 1, element 0 in the least significant bits; output beat n
// carries results n * PE .. + PE - 1.
// Weights: one word per (n, s), s fastest, from <File>_weights.dat; PE p holds bits p * SIMD * WBits .. of a word, and in
// it bit b of lane i at [b * SIMD + i] (planes, see dot_product). If a vector takes one cycle, the file has one line per PE.
// XBipolar / WBipolar: the bit stands for -1 or +1.
// No path from an input to an output port is combinational; the pipeline never stalls, it waits for credits instead.
module mvau #(
    parameter int unsigned MW = 8,
    parameter int unsigned MH = 8,
    parameter int unsigned PE = 1,
    parameter int unsigned SIMD = 1,
    parameter int unsigned XBits = 1,
    parameter bit XSigned = 0,
    parameter bit XBipolar = 0,
    parameter int unsigned WBits = 1,
    parameter bit WSigned = 0,
    parameter bit WBipolar = 0,
    parameter int unsigned AccBits = 8,
    parameter bit AccSigned = 1,
    parameter int unsigned Chunk = 8,
    parameter int unsigned CountLevels = 0,
    parameter int unsigned SumLevels = 0,
    parameter int unsigned Latency = 5,  // cycles from the read of the last beat to the result
    parameter int unsigned OutDepth = 16,
    parameter int unsigned InDepth = 16,
    parameter int unsigned Stages = 0,
    parameter int unsigned ThresholdBits = 8,
    parameter int unsigned OutBits = 8,
    parameter int Bias = 0,
    parameter RamStyle = "auto",
    parameter File = ""
) (
    input  logic                  clk_i,
    input  logic                  rst_ni,
    input  logic [SIMD*XBits-1:0] in_data_i,
    input  logic                  in_valid_i,
    output logic                  in_ready_o,
    output logic [PE*OutBits-1:0] out_data_o,
    output logic                  out_valid_o,
    input  logic                  out_ready_i
);
  localparam int unsigned SF = MW / SIMD;
  localparam int unsigned NF = MH / PE;
  localparam int unsigned Tiles = SF * NF;
  localparam int unsigned SFBits = (SF > 1) ? $clog2(SF) : 1;
  localparam int unsigned TileBits = (Tiles > 1) ? $clog2(Tiles) : 1;
  localparam bit Xnor = XBipolar && WBipolar;
  localparam int unsigned XPlanes = (XBipolar && !Xnor) ? 2 : XBits;
  localparam int unsigned WPlanes = (WBipolar && !Xnor) ? 2 : WBits;

  generate
    if (MW % SIMD != 0 || MH % PE != 0) begin : g_bad_folding
      $error("mvau: SIMD has to divide MW, and PE has to divide MH");
    end
    if (3 ** CountLevels * Chunk < SIMD || 3 ** SumLevels < XPlanes * WPlanes) begin : g_bad_levels
      $error("mvau: 3^CountLevels * Chunk has to reach SIMD, 3^SumLevels the number of pairs of bit planes");
    end
    if (Latency != 5 + CountLevels + SumLevels) begin : g_bad_latency
      $error("mvau: Latency has to be 5 + CountLevels + SumLevels");
    end
  endgenerate

  // Issue: one tile per cycle while there is an input beat and, for the last tile of a result, room for the result.
  logic avail, credit, issue, last_tile;
  logic [SFBits-1:0] sf_q;
  logic [TileBits-1:0] tile_q;
  logic [SIMD*XBits-1:0] x_read;

  assign last_tile = sf_q == SFBits'(SF - 1);
  assign issue = avail && (credit || !last_tile);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      sf_q   <= '0;
      tile_q <= '0;
    end else if (issue) begin
      sf_q   <= last_tile ? '0 : sf_q + 1'b1;
      tile_q <= (tile_q == TileBits'(Tiles - 1)) ? '0 : tile_q + 1'b1;
    end
  end

  generate
    if (NF > 1) begin : g_replay
      replay_buffer #(
          .Width(SIMD * XBits),
          .Beats(SF),
          .Repeats(NF),
          .Depth(InDepth)
      ) u_replay (
          .clk_i,
          .rst_ni,
          .in_data_i,
          .in_valid_i,
          .in_ready_o,
          .avail_o(avail),
          .next_i (issue),
          .data_o (x_read)
      );
    end else begin : g_direct
      logic ready_q;  // keeps ready low in reset
      always_ff @(posedge clk_i) ready_q <= rst_ni;
      assign avail = in_valid_i & ready_q;
      assign in_ready_o = ready_q && (credit || !last_tile);
      always_ff @(posedge clk_i) x_read <= in_data_i;
    end
  endgenerate

  // Operand planes. One register before the weight memory and two after it: the tile counter, the output of a block RAM
  // and the way from there to the adders each have a cycle of their own.
  logic [SIMD*XBits-1:0] x_read_q, x_q;
  logic [XPlanes*SIMD-1:0] x_planes_q;
  always_ff @(posedge clk_i) begin
    x_read_q <= x_read;
    x_q <= x_read_q;
  end

  generate
    if (XBits == 1) begin : g_x_plane
      if (XPlanes == 2) begin : g_two
        always_ff @(posedge clk_i) x_planes_q <= {~x_q, {SIMD{1'b1}}};
      end else begin : g_one
        always_ff @(posedge clk_i) x_planes_q <= x_q;
      end
    end else begin : g_x_planes
      logic [XPlanes*SIMD-1:0] planes;
      for (genvar i = 0; i < SIMD; i = i + 1) begin : g_lane
        for (genvar b = 0; b < XBits; b = b + 1) begin : g_bit
          assign planes[b*SIMD+i] = x_q[i*XBits+b];
        end
      end
      always_ff @(posedge clk_i) x_planes_q <= planes;
    end

    if (Tiles > 1) begin : g_weights
      logic [PE*WBits*SIMD-1:0] word;
      logic [TileBits-1:0] addr_q;
      always_ff @(posedge clk_i) addr_q <= tile_q;
      constant_memory #(
          .Width(PE * SIMD * WBits),
          .Depth(Tiles),
          .RamStyle(RamStyle),
          .File((File == "") ? "" : {File, "_weights.dat"})
      ) u_weights (
          .clk_i,
          .addr_i(addr_q),
          .data_o(word)
      );
      for (genvar p = 0; p < PE; p = p + 1) begin : g_row
        logic [SIMD*WBits-1:0] read_q, row_q;
        always_ff @(posedge clk_i) begin
          read_q <= word[p*SIMD*WBits+:SIMD*WBits];
          row_q  <= read_q;
        end
      end
    end else begin : g_weights
      /* verilator lint_off UNDRIVEN */  // without a file, as in lint, it is empty
      logic [SIMD*WBits-1:0] rows[0:PE-1];
      /* verilator lint_on UNDRIVEN */
      logic unused_tile;
      assign unused_tile = ^tile_q;
      if (File != "") begin : g_init
        initial $readmemh({File, "_weights.dat"}, rows);
      end
      for (genvar p = 0; p < PE; p = p + 1) begin : g_row
        logic [SIMD*WBits-1:0] row_q;  // a constant
        assign row_q = rows[p];
      end
    end
  endgenerate

  // Control bits travel beside the data.
  logic [Latency-1:0] valid_q, first_q, last_q;
  always_ff @(posedge clk_i) begin
    valid_q <= rst_ni ? Latency'({valid_q, issue}) : '0;
    first_q <= Latency'({first_q, sf_q == '0});
    last_q  <= Latency'({last_q, last_tile});
  end
  logic result_valid_q;
  always_ff @(posedge clk_i) result_valid_q <= rst_ni && valid_q[Latency-1] && last_q[Latency-1];

  logic [PE*AccBits-1:0] acc_q;
  generate
    for (genvar p = 0; p < PE; p = p + 1) begin : g_pe
      logic [AccBits-1:0] dot, start, step;
      logic [SIMD*WPlanes-1:0] w_planes;
      if (WPlanes == WBits) begin : g_w_same
        assign w_planes = g_weights.g_row[p].row_q;
      end else begin : g_w_two
        assign w_planes = {~g_weights.g_row[p].row_q, {SIMD{1'b1}}};
      end
      dot_product #(
          .Size(SIMD),
          .WPlanes(WPlanes),
          .XPlanes(XPlanes),
          .WSigned(WSigned || WBipolar),
          .XSigned(XSigned || XBipolar),
          .Xnor(Xnor),
          .OutBits(AccBits),
          .Chunk(Chunk),
          .CountLevels(CountLevels),
          .SumLevels(SumLevels)
      ) u_dot (
          .clk_i,
          .w_i(w_planes),
          .x_i(x_planes_q),
          .y_o(dot)
      );
      assign step  = Xnor ? dot << 1 : dot;
      assign start = Xnor ? AccBits'(0) - AccBits'(MW) : '0;  // Yosys 0.70 takes -N'(x) for (-N)'(x)
      if (SF > 1) begin : g_accumulate
        logic [AccBits-1:0] sum;
        assign sum = (first_q[Latency-1] ? start : acc_q[p*AccBits+:AccBits]) + step;
        always_ff @(posedge clk_i) if (valid_q[Latency-1]) acc_q[p*AccBits+:AccBits] <= sum;
      end else begin : g_single
        always_ff @(posedge clk_i) acc_q[p*AccBits+:AccBits] <= start + step;
      end
    end
  endgenerate

  // Activation and output.
  logic y_valid;
  logic [PE*OutBits-1:0] y;
  generate
    if (Stages > 0) begin : g_thresholds
      threshold_search #(
          .PE(PE),
          .Folds(NF),
          .InBits(AccBits),
          .InSigned(AccSigned),
          .ThresholdBits(ThresholdBits),
          .Stages(Stages),
          .OutBits(OutBits),
          .Bias(Bias),
          .File(File)
      ) u_thresholds (
          .clk_i,
          .rst_ni,
          .valid_i(result_valid_q),
          .x_i(acc_q),
          .valid_o(y_valid),
          .y_o(y)
      );
    end else begin : g_none
      assign y_valid = result_valid_q;
      assign y = acc_q;
    end
  endgenerate

  credit_fifo #(
      .Width(PE * OutBits),
      .Depth(OutDepth)
  ) u_out (
      .clk_i,
      .rst_ni,
      .credit_o(credit),
      .take_i(issue && last_tile),
      .push_i(y_valid),
      .data_i(y),
      .out_data_o,
      .out_valid_o,
      .out_ready_i
  );
endmodule
