// The common part of mvau and vvau: for each of NF groups of PE results, SF tiles of PE * SIMD products are summed up, then
// (Stages > 0) the number of thresholds reached plus Bias is the result.
//
// A tile is issued in each cycle in which its inputs are there (avail_i) and nothing else is missing (room_o, a function
// of registers only); x_i has its inputs one cycle later: Rows rows of SIMD elements, one row for all PEs or one for each,
// element 0 in the least significant bits. The pipeline never stalls, it waits for credits instead.
// in_* and out_* are the ports of the layer; ready_i is whether it takes the beat of the first stream.
// XBipolar / WBipolar: the bit stands for -1 or +1.
// Weights, one word per tile, the SF tiles of a group together; where they come from:
// - <File>_weights.dat: PE p holds bits p * SIMD * WBits .. of a word, and in it bit b of lane i at [b * SIMD + i] (planes,
//   see dot_product). If there is one tile only, the file has one line per PE.
// - RequestBits > 0: the same, but they can be read and written; the second streams are requests and replies of
//   line_access. There and below bit b of lane i of PE p stands at [(p * SIMD + i) * WBits + b] of a line.
// - External: the second input is a stream of them, all tiles again for each vector.
module matrix_unit #(
    parameter int unsigned SF = 1,
    parameter int unsigned NF = 1,
    parameter int unsigned PE = 1,
    parameter int unsigned SIMD = 1,
    parameter int unsigned Rows = 1,  // 1 or PE
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
    parameter int unsigned Latency = 5,  // cycles from the issue of a tile to its dot products
    parameter int unsigned OutDepth = 16,
    parameter int unsigned Stages = 0,
    parameter int unsigned ThresholdBits = 8,
    parameter int unsigned OutBits = 8,
    parameter int Bias = 0,
    parameter bit External = 0,
    parameter int unsigned RequestBits = 0,
    parameter RamStyle = "auto",
    parameter File = ""
) (
    input logic clk_i,
    input logic rst_ni,
    input logic avail_i,
    input logic ready_i,
    output logic room_o,
    output logic issue_o,
    input logic [Rows*SIMD*XBits-1:0] x_i,
    input logic [Rows*SIMD*XBits+(External ? PE*SIMD*WBits : RequestBits)-1:0] in_data_i,
    input logic [((External || RequestBits > 0) ? 1 : 0):0] in_valid_i,
    output logic [((External || RequestBits > 0) ? 1 : 0):0] in_ready_o,
    output logic [PE*OutBits+((RequestBits > 0) ? 32 : 0)-1:0] out_data_o,
    output logic [((RequestBits > 0) ? 1 : 0):0] out_valid_o,
    input logic [((RequestBits > 0) ? 1 : 0):0] out_ready_i
);
  localparam int unsigned XWidth = Rows * SIMD * XBits;
  localparam int unsigned Tiles = SF * NF;
  localparam int unsigned SFBits = (SF > 1) ? $clog2(SF) : 1;
  localparam int unsigned TileBits = (Tiles > 1) ? $clog2(Tiles) : 1;
  localparam bit Xnor = XBipolar && WBipolar;
  localparam int unsigned XPlanes = (XBipolar && !Xnor) ? 2 : XBits;
  localparam int unsigned WPlanes = (WBipolar && !Xnor) ? 2 : WBits;
  localparam bit Constant = Tiles == 1 && !External && RequestBits == 0;

  generate
    if (3 ** CountLevels * Chunk < SIMD || 3 ** SumLevels < XPlanes * WPlanes) begin : g_bad_levels
      $error("matrix_unit: 3^CountLevels * Chunk has to reach SIMD, 3^SumLevels the number of pairs of bit planes");
    end
    if (Latency != (External ? 3 : 5) + CountLevels + SumLevels) begin : g_bad_latency
      $error("matrix_unit: Latency has to be 5 + CountLevels + SumLevels, with External 3 + ...");
    end
    if (External && RequestBits > 0) begin : g_bad_source
      $error("matrix_unit: weights that come as a stream have no memory to write to");
    end
  endgenerate

  // Issue: one tile per cycle while there is an input beat and, for the last tile of a result, room for the result.
  logic credit, weights, issue, last_tile;
  logic [SFBits-1:0] sf_q;
  logic [TileBits-1:0] tile_q;

  assign last_tile = sf_q == SFBits'(SF - 1);
  assign room_o = weights && (credit || !last_tile);
  assign issue = avail_i && room_o;
  assign issue_o = issue;
  assign in_ready_o[0] = ready_i;
  logic unused_first;  // the layer gives its beats as x_i
  assign unused_first = ^{in_data_i[XWidth-1:0], in_valid_i[0]};

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      sf_q   <= '0;
      tile_q <= '0;
    end else if (issue) begin
      sf_q   <= last_tile ? '0 : sf_q + 1'b1;
      tile_q <= (tile_q == TileBits'(Tiles - 1)) ? '0 : tile_q + 1'b1;
    end
  end

  // Operand planes. One register before the weight memory and two after it: the tile counter, the output of a block RAM
  // and the way from there to the adders each have a cycle of their own.
  logic [Rows*SIMD*XBits-1:0] x_q;
  logic [Rows*XPlanes*SIMD-1:0] x_planes_q;
  generate
    if (External) begin : g_x_now
      assign x_q = x_i;
    end else begin : g_x_later
      logic [Rows*SIMD*XBits-1:0] x_read_q;
      always_ff @(posedge clk_i) begin
        x_read_q <= x_i;
        x_q <= x_read_q;
      end
    end

    for (genvar r = 0; r < Rows; r = r + 1) begin : g_x_row
      if (XPlanes > XBits) begin : g_two
        always_ff @(posedge clk_i) x_planes_q[r*2*SIMD+:2*SIMD] <= {~x_q[r*SIMD+:SIMD], {SIMD{1'b1}}};
      end else begin : g_same
        logic [SIMD*XBits-1:0] planes;
        bit_planes #(
            .Size(SIMD),
            .Bits(XBits)
        ) u_planes (
            .data_i(x_q[r*SIMD*XBits+:SIMD*XBits]),
            .data_o(planes)
        );
        always_ff @(posedge clk_i) x_planes_q[r*SIMD*XBits+:SIMD*XBits] <= planes;
      end
    end

    if (!Constant) begin : g_weights
      logic [PE*WBits*SIMD-1:0] word;
      logic [TileBits-1:0] addr_q;
      always_ff @(posedge clk_i) addr_q <= tile_q;
      for (genvar p = 0; p < PE; p = p + 1) begin : g_row
        logic [SIMD*WBits-1:0] read_q, row_q;
        always_ff @(posedge clk_i) begin
          read_q <= word[p*SIMD*WBits+:SIMD*WBits];
          row_q  <= read_q;
        end
      end
      if (External) begin : g_stream
        logic [PE*SIMD*WBits-1:0] line;
        logic unused_addr;
        assign unused_addr = ^addr_q;
        stream_register #(
            .Width(PE * SIMD * WBits)
        ) u_weights (
            .clk_i,
            .rst_ni,
            .in_data_i  (in_data_i[XWidth+:PE*SIMD*WBits]),
            .in_valid_i (in_valid_i[1]),
            .in_ready_o (in_ready_o[1]),
            .out_data_o (line),
            .out_valid_o(weights),
            .out_ready_i(issue)
        );
        for (genvar p = 0; p < PE; p = p + 1) begin : g_planes
          bit_planes #(
              .Size(SIMD),
              .Bits(WBits)
          ) u_planes (
              .data_i(line[p*SIMD*WBits+:SIMD*WBits]),
              .data_o(word[p*SIMD*WBits+:SIMD*WBits])
          );
        end
      end else if (RequestBits > 0) begin : g_writable
        logic write;
        logic [TileBits-1:0] addr;
        logic [PE*SIMD*WBits-1:0] line, planes, line_read, planes_read;
        assign weights = 1'b1;
        for (genvar p = 0; p < PE; p = p + 1) begin : g_planes
          bit_planes #(
              .Size(SIMD),
              .Bits(WBits)
          ) u_planes (
              .data_i(line[p*SIMD*WBits+:SIMD*WBits]),
              .data_o(planes[p*SIMD*WBits+:SIMD*WBits])
          );
          bit_planes #(
              .Size(SIMD),
              .Bits(WBits),
              .Back(1)
          ) u_back (
              .data_i(planes_read[p*SIMD*WBits+:SIMD*WBits]),
              .data_o(line_read[p*SIMD*WBits+:SIMD*WBits])
          );
        end
        line_access #(
            .Width(PE * SIMD * WBits),
            .LineBits(TileBits),
            .RequestBits(RequestBits)
        ) u_access (
            .clk_i,
            .rst_ni,
            .request_data_i (in_data_i[XWidth+:RequestBits]),
            .request_valid_i(in_valid_i[1]),
            .request_ready_o(in_ready_o[1]),
            .reply_data_o   (out_data_o[PE*OutBits+:32]),
            .reply_valid_o  (out_valid_o[1]),
            .reply_ready_i  (out_ready_i[1]),
            .line_write_o   (write),
            .line_addr_o    (addr),
            .line_data_o    (line),
            .line_data_i    (line_read)
        );
        writable_memory #(
            .Width(PE * SIMD * WBits),
            .Depth(Tiles),
            .RamStyle(RamStyle),
            .File((File == "") ? "" : {File, "_weights.dat"})
        ) u_weights (
            .clk_i,
            .addr_i(addr_q),
            .data_o(word),
            .access_write_i(write),
            .access_addr_i(addr),
            .access_data_i(planes),
            .access_data_o(planes_read)
        );
      end else begin : g_memory
        assign weights = 1'b1;
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
      end
    end else begin : g_weights
      /* verilator lint_off UNDRIVEN */  // without a file, as in lint, it is empty
      logic [SIMD*WBits-1:0] rows[0:PE-1];
      /* verilator lint_on UNDRIVEN */
      logic unused_tile;
      assign unused_tile = ^tile_q;
      assign weights = 1'b1;
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
          .x_i(x_planes_q[((Rows==1)?0:p)*XPlanes*SIMD+:XPlanes*SIMD]),
          .y_o(dot)
      );
      assign step  = Xnor ? dot << 1 : dot;
      assign start = Xnor ? AccBits'(0) - AccBits'(SF * SIMD) : '0;  // Yosys 0.70 takes -N'(x) for (-N)'(x)
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
      logic [ThresholdBits-1:0] unused_threshold;
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
          .y_o(y),
          .access_write_i(1'b0),
          .access_addr_i('0),
          .access_data_i('0),
          .access_data_o(unused_threshold)
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
      .out_data_o (out_data_o[PE*OutBits-1:0]),
      .out_valid_o(out_valid_o[0]),
      .out_ready_i(out_ready_i[0])
  );
endmodule
