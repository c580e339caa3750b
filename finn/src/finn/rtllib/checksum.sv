// Passes a stream on and sums it up: a debugging aid that tells in which layer hardware and simulation part.
//
// checksum_q holds {number of the last frame modulo 256, the first being 0; its sum modulo 2^24}. The sum is that of all
// values of the frame in the order of the stream, as their bits, wider ones folded by exclusive or to 23 bits, times 1, 2,
// 3, 1, 2, .. (what FINN's CheckSum computes). It is there Levels + 3 cycles after the last beat was taken.
// The stream passes a stream_register: one cycle of latency, one beat per cycle.
module checksum #(
    parameter int unsigned Lanes = 4,
    parameter int unsigned Bits = 8,  // of a value
    parameter int unsigned Beats = 4,  // per frame
    parameter int unsigned Levels = 2  // the least n with 3^n >= Lanes
) (
    input  logic                  clk_i,
    input  logic                  rst_ni,
    input  logic [Lanes*Bits-1:0] in_data_i,
    input  logic                  in_valid_i,
    output logic                  in_ready_o,
    output logic [Lanes*Bits-1:0] out_data_o,
    output logic                  out_valid_o,
    input  logic                  out_ready_i
);
`ifndef VERILATOR_O3
  // Below -O3 Verilator 5.48 loses the names of the levels when it inlines this module.
  /*verilator no_inline_module*/
`endif
  localparam int unsigned Fold = 23;
  localparam int unsigned Slices = (Bits + Fold - 1) / Fold;
  localparam int unsigned Kept = (Bits < Fold) ? Bits : Fold;
  localparam int unsigned Padded = (Bits < Fold) ? Bits : Slices * Fold;
  localparam int unsigned SumBits = 24;
  localparam int unsigned BeatBits = (Beats > 1) ? $clog2(Beats) : 1;

  stream_register #(
      .Width(Lanes * Bits)
  ) u_stream (
      .clk_i,
      .rst_ni,
      .in_data_i,
      .in_valid_i,
      .in_ready_o,
      .out_data_o,
      .out_valid_o,
      .out_ready_i
  );

  // Which beat of the frame comes, and the weight of its lane 0, one-hot: 1, 2 or 3. Both go along with the values.
  logic take, last;
  logic [BeatBits-1:0] beat_q;
  logic [2:0] weight_q, weight_next, weight1_q;
  logic [Levels+1:0] valid_q, last_q;
  assign take = in_valid_i & in_ready_o;
  assign last = beat_q == BeatBits'(Beats - 1);
  generate
    if (Lanes % 3 == 0) begin : g_same_weight
      assign weight_next = weight_q;
    end else if (Lanes % 3 == 1) begin : g_next_weight
      assign weight_next = {weight_q[1:0], weight_q[2]};
    end else begin : g_previous_weight
      assign weight_next = {weight_q[0], weight_q[2:1]};
    end
  endgenerate

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      beat_q   <= '0;
      weight_q <= 3'b001;
      valid_q  <= '0;
    end else begin
      if (take) beat_q <= last ? '0 : beat_q + 1'b1;
      if (take) weight_q <= last ? 3'b001 : weight_next;
      valid_q <= (Levels + 2)'({valid_q, take});
    end
    weight1_q <= weight_q;
    last_q <= (Levels + 2)'({last_q, last});
  end

  generate
    for (genvar j = 0; j < Lanes; j = j + 1) begin : g_lane
      logic [Padded-1:0] value;
      logic [Kept-1:0] folded_q;
      assign value = Padded'(in_data_i[j*Bits+:Bits]);
      for (genvar s = 0; s < Slices; s = s + 1) begin : g_slice
        logic [Kept-1:0] folded;  // slices up to s
        if (s == 0) begin : g_first
          assign folded = value[Kept-1:0];
        end else begin : g_next
          assign folded = g_slice[s-1].folded ^ value[s*Fold+:Kept];
        end
      end
      always_ff @(posedge clk_i) folded_q <= g_slice[Slices-1].folded;

      logic [2:0] weight;  // 1, 2 or 3, one-hot
      assign weight = 3'({weight1_q, weight1_q} >> ((3 - j % 3) % 3));
    end

    for (genvar l = 0; l <= Levels; l = l + 1) begin : g_level
      localparam int unsigned Group = 3 ** l;
      localparam int unsigned Nodes = (Lanes + Group - 1) / Group;
      for (genvar i = 0; i < Nodes; i = i + 1) begin : g_node
        logic [SumBits-1:0] sum_q;
        if (l == 0) begin : g_leaf
          always_ff @(posedge clk_i)
            sum_q <= ((g_lane[i].weight[0] || g_lane[i].weight[2]) ? SumBits'(g_lane[i].folded_q) : '0)
                + ((g_lane[i].weight[1] || g_lane[i].weight[2]) ? SumBits'(g_lane[i].folded_q) << 1 : '0);
        end else begin : g_sum
          localparam int unsigned Below = (Lanes + Group / 3 - 1) / (Group / 3);
          if (3 * i + 2 < Below) begin : g_three
            always_ff @(posedge clk_i)
              sum_q <= g_level[l-1].g_node[3*i].sum_q + g_level[l-1].g_node[3*i+1].sum_q
                  + g_level[l-1].g_node[3*i+2].sum_q;
          end else if (3 * i + 1 < Below) begin : g_two
            always_ff @(posedge clk_i)
              sum_q <= g_level[l-1].g_node[3*i].sum_q + g_level[l-1].g_node[3*i+1].sum_q;
          end else begin : g_one
            always_ff @(posedge clk_i) sum_q <= g_level[l-1].g_node[3*i].sum_q;
          end
        end
      end
    end
  endgenerate

  logic [SumBits-1:0] sum_q, sum_d;
  logic [31:0] checksum_q  /*verilator public_flat_rd*/;
  logic [7:0] frame_q;
  assign sum_d = sum_q + g_level[Levels].g_node[0].sum_q;
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      sum_q <= '0;
      frame_q <= '0;
      checksum_q <= '0;
    end else if (valid_q[Levels+1]) begin
      sum_q <= last_q[Levels+1] ? '0 : sum_d;
      if (last_q[Levels+1]) checksum_q <= {frame_q, sum_d};
      if (last_q[Levels+1]) frame_q <= frame_q + 1'b1;
    end
  end
endmodule
