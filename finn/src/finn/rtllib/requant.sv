// Scales integers per channel and rounds them to a narrower type: see requant_lane.
//
// A word of constants has b above m of each of CLanes lanes (PE, or 1 for all lanes); Groups words come in turn, one per
// beat. One beat of PE values per cycle; nothing behind the first register stalls, and no path from an input to an output
// port is combinational.
module requant #(
    parameter int unsigned PE = 1,
    parameter int unsigned InBits = 16,
    parameter int unsigned Kind = 1,
    parameter int unsigned CLanes = 1,
    parameter int unsigned Groups = 2,
    parameter int unsigned MulBits = 8,
    parameter int unsigned AddBits = 16,
    parameter int unsigned SumBits = 25,
    parameter int unsigned Shift = 8,
    parameter int unsigned OutBits = 8,
    parameter bit OutSigned = 1,
    parameter bit Narrow = 0,
    parameter int unsigned OutDepth = 16,
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
  localparam int unsigned WordBits = MulBits + AddBits;

  generate
    if (CLanes != 1 && CLanes != PE) begin : g_bad_lanes
      $error("requant: CLanes is 1 or PE");
    end
  endgenerate

  logic credit, take;
  logic [4:0] valid_q;
  logic [PE*InBits-1:0] x_q;
  logic [CLanes*WordBits-1:0] constants;
  logic [PE*OutBits-1:0] y;
  assign in_ready_o = credit;
  assign take = in_valid_i & credit;
  always_ff @(posedge clk_i) begin
    valid_q <= rst_ni ? 5'({valid_q, take}) : '0;
    x_q <= in_data_i;
  end

  broadcast_constant #(
      .Width(CLanes * WordBits),
      .Groups(Groups),
      .Repeats(1),
      .Beats(1),
      .Hold(1),
      .RamStyle(RamStyle),
      .File(File)
  ) u_constants (
      .clk_i,
      .rst_ni,
      .step_i(take),
      .data_o(constants)
  );

  generate
    for (genvar p = 0; p < PE; p = p + 1) begin : g_lane
      localparam int unsigned C = (CLanes == 1) ? 0 : p;
      requant_lane #(
          .InBits(InBits),
          .Kind(Kind),
          .MulBits(MulBits),
          .AddBits(AddBits),
          .SumBits(SumBits),
          .Shift(Shift),
          .OutBits(OutBits),
          .OutSigned(OutSigned),
          .Narrow(Narrow)
      ) u_lane (
          .clk_i,
          .x_i(x_q[p*InBits+:InBits]),
          .m_i(constants[C*WordBits+:MulBits]),
          .b_i(constants[C*WordBits+MulBits+:AddBits]),
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
      .credit_o(credit),
      .take_i(take),
      .push_i(valid_q[4]),
      .data_i(y),
      .out_data_o,
      .out_valid_o,
      .out_ready_i
  );
endmodule
