// Parts a stream into several: over and over, Beats[32*k+:32] beats go to stream k after those for stream k - 1.
//
// Every output has a stream_register: one cycle of latency, one beat per cycle.
module streaming_split #(
    parameter int unsigned Streams = 2,
    parameter int unsigned Width = 8,
    parameter logic [Streams*32-1:0] Beats = {Streams{32'd1}}
) (
    input  logic                     clk_i,
    input  logic                     rst_ni,
    input  logic [        Width-1:0] in_data_i,
    input  logic                     in_valid_i,
    output logic                     in_ready_o,
    output logic [Streams*Width-1:0] out_data_o,
    output logic [      Streams-1:0] out_valid_o,
    input  logic [      Streams-1:0] out_ready_i
);
  logic [Streams-1:0] turn, room;
  assign in_ready_o = |(turn & room);

  turn_counter #(
      .Streams(Streams),
      .Beats(Beats)
  ) u_turn (
      .clk_i,
      .rst_ni,
      .step_i(in_valid_i & in_ready_o),
      .turn_o(turn)
  );

  generate
    for (genvar k = 0; k < Streams; k = k + 1) begin : g_stream
      stream_register #(
          .Width(Width)
      ) u_out (
          .clk_i,
          .rst_ni,
          .in_data_i,
          .in_valid_i(in_valid_i & turn[k]),
          .in_ready_o(room[k]),
          .out_data_o(out_data_o[k*Width+:Width]),
          .out_valid_o(out_valid_o[k]),
          .out_ready_i(out_ready_i[k])
      );
    end
  endgenerate
endmodule
