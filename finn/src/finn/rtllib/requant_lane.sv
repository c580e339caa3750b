// y = clip((x * m + b) >>> Shift, Low, High), on integers.
//
// x: InBits of Kind (signed_value); m, b: two's complement; SumBits hold x * m + b and the ends. Low and High are those
// of two's complement (OutSigned) or unsigned numbers of OutBits bits, but Low is one more if Narrow.
// Never stalls. Latency: four cycles: operands, product, sum, result.
module requant_lane #(
    parameter int unsigned InBits = 16,
    parameter int unsigned Kind = 1,
    parameter int unsigned MulBits = 8,
    parameter int unsigned AddBits = 16,
    parameter int unsigned SumBits = 25,
    parameter int unsigned Shift = 8,
    parameter int unsigned OutBits = 8,
    parameter bit OutSigned = 1,
    parameter bit Narrow = 0
) (
    input  logic               clk_i,
    input  logic [ InBits-1:0] x_i,
    input  logic [MulBits-1:0] m_i,
    input  logic [AddBits-1:0] b_i,
    output logic [OutBits-1:0] y_o
);
  localparam int unsigned XBits = InBits + ((Kind == 1) ? 0 : 1);
  localparam logic signed [SumBits-1:0] One = SumBits'(1);
  localparam logic signed [SumBits-1:0] High = OutSigned ? (One <<< (OutBits - 1)) - One : (One <<< OutBits) - One;
  localparam logic signed [SumBits-1:0] Low = (OutSigned ? -(One <<< (OutBits - 1)) : '0) + (Narrow ? One : '0);

  generate
    if (SumBits < XBits + MulBits || SumBits < AddBits || SumBits < OutBits + 1) begin : g_bad_bits
      $error("requant_lane: SumBits have to hold the product, the sum and the ends of the result");
    end
  endgenerate

  logic [InBits-1:0] x_q;
  logic [XBits-1:0] x;
  logic signed [MulBits-1:0] m_q;
  logic signed [AddBits-1:0] b_q, b_product_q;
  logic signed [SumBits-1:0] product_q, sum_q, shifted;
  signed_value #(
      .InBits (InBits),
      .Kind   (Kind),
      .OutBits(XBits)
  ) u_x (
      .value_i(x_q),
      .value_o(x)
  );
  always_ff @(posedge clk_i) begin
    x_q <= x_i;
    m_q <= m_i;
    b_q <= b_i;
    product_q <= SumBits'($signed(x)) * SumBits'(m_q);
    b_product_q <= b_q;
    sum_q <= product_q + SumBits'(b_product_q);
    y_o <= (shifted > High) ? High[OutBits-1:0] : (shifted < Low) ? Low[OutBits-1:0] : shifted[OutBits-1:0];
  end
  assign shifted = sum_q >>> Shift;
endmodule
