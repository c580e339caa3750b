// y = a <Function> b of two streams, each broadcast to the output as broadcast_stream says; see elementwise_lane.
//
// Stream 0 is a (PE or 1 lanes of ABits), stream 1 is b. One output beat of PE values per cycle.
// No path from an input to an output port is combinational; a step waits for a place in the output buffer, so that
// nothing behind it stalls.
module elementwise #(
    parameter int unsigned PE = 1,
    parameter int unsigned Function = 0,
    parameter int unsigned ALanes = 1,
    parameter int unsigned ABits = 8,
    parameter int unsigned AKind = 1,
    parameter int unsigned ARepeats = 1,
    parameter int unsigned ABeats = 1,
    parameter int unsigned AHold = 1,
    parameter int unsigned ADepth = 2,
    parameter int unsigned BLanes = 1,
    parameter int unsigned BBits = 8,
    parameter int unsigned BKind = 1,
    parameter int unsigned BRepeats = 3,
    parameter int unsigned BBeats = 2,
    parameter int unsigned BHold = 1,
    parameter int unsigned BDepth = 4,
    parameter int unsigned OutBits = 9,
    parameter int unsigned OutKind = 1,
    parameter int unsigned OutDepth = 8
) (
    input  logic                                 clk_i,
    input  logic                                 rst_ni,
    input  logic [ALanes*ABits+BLanes*BBits-1:0] in_data_i,
    input  logic [                          1:0] in_valid_i,
    output logic [                          1:0] in_ready_o,
    output logic [               PE*OutBits-1:0] out_data_o,
    output logic                                 out_valid_o,
    input  logic                                 out_ready_i
);
  logic credit, step;
  logic [1:0] avail;
  logic [ALanes*ABits-1:0] a;
  logic [BLanes*BBits-1:0] b;
  assign step = credit & (&avail);

  broadcast_stream #(
      .Width(ALanes * ABits),
      .Repeats(ARepeats),
      .Beats(ABeats),
      .Hold(AHold),
      .Depth(ADepth)
  ) u_a (
      .clk_i,
      .rst_ni,
      .in_data_i(in_data_i[ALanes*ABits-1:0]),
      .in_valid_i(in_valid_i[0]),
      .in_ready_o(in_ready_o[0]),
      .avail_o(avail[0]),
      .step_i(step),
      .data_o(a)
  );
  broadcast_stream #(
      .Width(BLanes * BBits),
      .Repeats(BRepeats),
      .Beats(BBeats),
      .Hold(BHold),
      .Depth(BDepth)
  ) u_b (
      .clk_i,
      .rst_ni,
      .in_data_i(in_data_i[ALanes*ABits+:BLanes*BBits]),
      .in_valid_i(in_valid_i[1]),
      .in_ready_o(in_ready_o[1]),
      .avail_o(avail[1]),
      .step_i(step),
      .data_o(b)
  );

  elementwise_unit #(
      .PE(PE),
      .Function(Function),
      .ALanes(ALanes),
      .ABits(ABits),
      .AKind(AKind),
      .BLanes(BLanes),
      .BBits(BBits),
      .BKind(BKind),
      .OutBits(OutBits),
      .OutKind(OutKind),
      .OutDepth(OutDepth)
  ) u_unit (
      .clk_i,
      .rst_ni,
      .credit_o(credit),
      .take_i(step),
      .a_i(a),
      .b_i(b),
      .out_data_o,
      .out_valid_o,
      .out_ready_i
  );
endmodule
