// The same stream Copies times: a beat is taken when every copy has room for it.
//
// A stream_register for each copy: one cycle of latency, and a slow reader lets the others run two beats ahead.
module duplicate_streams #(
    parameter int unsigned Width  = 8,
    parameter int unsigned Copies = 2
) (
    input  logic                    clk_i,
    input  logic                    rst_ni,
    input  logic [       Width-1:0] in_data_i,
    input  logic                    in_valid_i,
    output logic                    in_ready_o,
    output logic [Copies*Width-1:0] out_data_o,
    output logic [      Copies-1:0] out_valid_o,
    input  logic [      Copies-1:0] out_ready_i
);
  logic [Copies-1:0] room;
  logic take;
  assign in_ready_o = &room;
  assign take = in_valid_i & in_ready_o;

  generate
    for (genvar k = 0; k < Copies; k = k + 1) begin : g_copy
      stream_register #(
          .Width(Width)
      ) u_out (
          .clk_i,
          .rst_ni,
          .in_data_i,
          .in_valid_i(take),
          .in_ready_o(room[k]),
          .out_data_o(out_data_o[k*Width+:Width]),
          .out_valid_o(out_valid_o[k]),
          .out_ready_i(out_ready_i[k])
      );
    end
  endgenerate
endmodule
