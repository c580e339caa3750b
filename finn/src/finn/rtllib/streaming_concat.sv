// Joins streams along an axis: over and over, Beats[32*k+:32] beats of stream k after those of stream k - 1.
//
// A beat of stream k carries SIMD values of InBits[32*k+:32] bits and of a kind given by Kinds[32*k+:32]: 0 unsigned, 1
// two's complement, 2 bipolar (bit 0 is -1, bit 1 is +1). All leave as OutBits bits of two's complement.
// Every input and the output have a stream_register: two cycles of latency, one beat per cycle.
module streaming_concat #(
    parameter int unsigned Streams = 2,
    parameter int unsigned SIMD = 1,
    parameter int unsigned OutBits = 8,
    parameter logic [Streams*32-1:0] InBits = {Streams{32'd8}},
    parameter logic [Streams*32-1:0] Kinds = {Streams{32'd0}},
    parameter logic [Streams*32-1:0] Beats = {Streams{32'd1}},
    parameter int unsigned InWidth = 16  // SIMD times the sum of InBits
) (
    input  logic                    clk_i,
    input  logic                    rst_ni,
    input  logic [     InWidth-1:0] in_data_i,
    input  logic [     Streams-1:0] in_valid_i,
    output logic [     Streams-1:0] in_ready_o,
    output logic [SIMD*OutBits-1:0] out_data_o,
    output logic                    out_valid_o,
    input  logic                    out_ready_i
);
  // Where the data of stream k begin.
  function automatic int unsigned base(input logic [Streams*32-1:0] bits, input int unsigned k);
    base = 0;
    for (int i = 0; i < int'(Streams); i = i + 1) if (i < int'(k)) base = base + SIMD * bits[i*32+:32];
  endfunction

  generate
    if (InWidth != base(InBits, Streams)) begin : g_bad_width
      $error("streaming_concat: InWidth has to be SIMD times the sum of InBits");
    end
  endgenerate

  logic [Streams-1:0] turn, valid;
  logic room, step;
  assign step = |(turn & valid) & room;

  turn_counter #(
      .Streams(Streams),
      .Beats(Beats)
  ) u_turn (
      .clk_i,
      .rst_ni,
      .step_i(step),
      .turn_o(turn)
  );

  generate
    for (genvar k = 0; k < Streams; k = k + 1) begin : g_stream
      localparam int unsigned Bits = InBits[k*32+:32];
      localparam int unsigned Width = SIMD * Bits;
      localparam int unsigned Kind = Kinds[k*32+:32];
      logic [Width-1:0] data;
      stream_register #(
          .Width(Width)
      ) u_in (
          .clk_i,
          .rst_ni,
          .in_data_i(in_data_i[base(InBits, k)+:Width]),
          .in_valid_i(in_valid_i[k]),
          .in_ready_o(in_ready_o[k]),
          .out_data_o(data),
          .out_valid_o(valid[k]),
          .out_ready_i(turn[k] & room)
      );

      logic [SIMD*OutBits-1:0] extended, chosen;  // this stream; the one of these up to k whose turn it is
      for (genvar s = 0; s < SIMD; s = s + 1) begin : g_lane
        if (Kind == 2) begin : g_bipolar
          assign extended[s*OutBits+:OutBits] = {{(OutBits - 1) {!data[s]}}, 1'b1};
        end else if (Bits == OutBits) begin : g_same
          assign extended[s*OutBits+:OutBits] = data[s*Bits+:Bits];
        end else begin : g_extended
          assign extended[s*OutBits+:OutBits] = {
            {(OutBits - Bits) {Kind == 1 && data[s*Bits+Bits-1]}}, data[s*Bits+:Bits]
          };
        end
      end
      if (k == 0) begin : g_first
        assign chosen = extended & {SIMD * OutBits{turn[0]}};
      end else begin : g_next
        assign chosen = g_stream[k-1].chosen | (extended & {SIMD * OutBits{turn[k]}});
      end
    end
  endgenerate

  stream_register #(
      .Width(SIMD * OutBits)
  ) u_out (
      .clk_i,
      .rst_ni,
      .in_data_i(g_stream[Streams-1].chosen),
      .in_valid_i(step),
      .in_ready_o(room),
      .out_data_o,
      .out_valid_o,
      .out_ready_i
  );
endmodule
