// y = x <Function> c of a stream and constants that are broadcast to it (broadcast_constant); c <Function> x if Left. See
// elementwise_lane.
//
// CLanes: PE, or 1 for all lanes. One beat of PE values per cycle; nothing behind the first register stalls, and no path
// from an input to an output port is combinational.
module channelwise_op #(
    parameter int unsigned PE = 1,
    parameter int unsigned Function = 0,
    parameter bit Left = 0,
    parameter int unsigned InBits = 8,
    parameter int unsigned InKind = 1,
    parameter int unsigned CLanes = 1,
    parameter int unsigned CBits = 8,
    parameter int unsigned CKind = 1,
    parameter int unsigned Groups = 2,
    parameter int unsigned Repeats = 1,
    parameter int unsigned Beats = 1,
    parameter int unsigned Hold = 1,
    parameter int unsigned OutBits = 9,
    parameter int unsigned OutKind = 1,
    parameter int unsigned OutDepth = 8,
    parameter RamStyle = "auto",
    parameter File = ""
) (
    input  logic                  clk_i,
    input  logic                  rst_ni,
    input  logic [ PE*InBits-1:0] in_data_i,
    input  logic                  in_valid_i,
    output logic                  in_ready_o,
    output logic [PE*OutBits-1:0] out_data_o,
    output logic                  out_valid_o,
    input  logic                  out_ready_i
);
  logic credit, take;
  logic [PE*InBits-1:0] x_q;
  logic [CLanes*CBits-1:0] c;
  assign in_ready_o = credit;
  assign take = in_valid_i & credit;
  always_ff @(posedge clk_i) x_q <= in_data_i;

  broadcast_constant #(
      .Width(CLanes * CBits),
      .Groups(Groups),
      .Repeats(Repeats),
      .Beats(Beats),
      .Hold(Hold),
      .RamStyle(RamStyle),
      .File(File)
  ) u_constants (
      .clk_i,
      .rst_ni,
      .step_i(take),
      .data_o(c)
  );

  localparam int unsigned AWidth = Left ? CLanes * CBits : PE * InBits;
  localparam int unsigned BWidth = Left ? PE * InBits : CLanes * CBits;
  logic [AWidth-1:0] a;
  logic [BWidth-1:0] b;
  assign {a, b} = Left ? {c, x_q} : {x_q, c};

  elementwise_unit #(
      .PE(PE),
      .Function(Function),
      .ALanes(Left ? CLanes : PE),
      .ABits(Left ? CBits : InBits),
      .AKind(Left ? CKind : InKind),
      .BLanes(Left ? PE : CLanes),
      .BBits(Left ? InBits : CBits),
      .BKind(Left ? InKind : CKind),
      .OutBits(OutBits),
      .OutKind(OutKind),
      .OutDepth(OutDepth)
  ) u_unit (
      .clk_i,
      .rst_ni,
      .credit_o(credit),
      .take_i(take),
      .a_i(a),
      .b_i(b),
      .out_data_o,
      .out_valid_o,
      .out_ready_i
  );
endmodule
