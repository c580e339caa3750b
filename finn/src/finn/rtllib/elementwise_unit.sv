// Lanes of elementwise_lane and the output buffer behind them: what all elementwise layers have in common.
//
// credit_o: there is room for a result. take_i takes it, and the operands come in the next cycle: PE values each, or one
// for all lanes (ALanes, BLanes). Latency from take_i to the push into the buffer: three cycles, four for a product.
module elementwise_unit #(
    parameter int unsigned PE = 1,
    parameter int unsigned Function = 0,
    parameter int unsigned ALanes = 1,
    parameter int unsigned ABits = 8,
    parameter int unsigned AKind = 1,
    parameter int unsigned BLanes = 1,
    parameter int unsigned BBits = 8,
    parameter int unsigned BKind = 1,
    parameter int unsigned OutBits = 9,
    parameter int unsigned OutKind = 1,
    parameter int unsigned OutDepth = 8
) (
    input  logic                    clk_i,
    input  logic                    rst_ni,
    output logic                    credit_o,
    input  logic                    take_i,
    input  logic [ALanes*ABits-1:0] a_i,
    input  logic [BLanes*BBits-1:0] b_i,
    output logic [  PE*OutBits-1:0] out_data_o,
    output logic                    out_valid_o,
    input  logic                    out_ready_i
);
  localparam int unsigned Latency = (Function == 2) ? 4 : 3;

  generate
    if ((ALanes != 1 && ALanes != PE) || (BLanes != 1 && BLanes != PE)) begin : g_bad_lanes
      $error("elementwise_unit: ALanes and BLanes are 1 or PE");
    end
  endgenerate

  logic [Latency-1:0] valid_q;
  always_ff @(posedge clk_i) valid_q <= rst_ni ? Latency'({valid_q, take_i}) : '0;

  logic [PE*OutBits-1:0] y;
  generate
    for (genvar p = 0; p < PE; p = p + 1) begin : g_lane
      localparam int unsigned A = (ALanes == 1) ? 0 : p;
      localparam int unsigned B = (BLanes == 1) ? 0 : p;
      elementwise_lane #(
          .Function(Function),
          .ABits(ABits),
          .AKind(AKind),
          .BBits(BBits),
          .BKind(BKind),
          .OutBits(OutBits),
          .OutKind(OutKind)
      ) u_lane (
          .clk_i,
          .a_i(a_i[A*ABits+:ABits]),
          .b_i(b_i[B*BBits+:BBits]),
          .y_o(y[p*OutBits+:OutBits])
      );
    end
  endgenerate

  credit_fifo #(
      .Width(PE * OutBits),
      .Depth(OutDepth)
  ) u_out (
      .clk_i,
      .rst_ni,
      .credit_o,
      .take_i,
      .push_i(valid_q[Latency-1]),
      .data_i(y),
      .out_data_o,
      .out_valid_o,
      .out_ready_i
  );
endmodule
