// y = a <Function> b, on integers.
//
// Function: 0 a + b, 1 a - b, 2 a * b, 3 max(a, b), 4 min(a, b), 5 |a - b|; 0 or 1 for 6 a == b, 7 a > b, 8 a >= b,
// 9 a < b, 10 a <= b, 11 a && b, 12 a || b, 13 (a != 0) != (b != 0); 14 a & b, 15 a | b, 16 a ^ b, 17 a << b, 18 a >>> b.
// AKind, BKind, OutKind: 0 unsigned, 1 two's complement, 2 bipolar (bit 0 is -1, bit 1 is +1). OutBits hold every result.
// Never stalls. Latency: two cycles, three for a product: operands, (product,) result are registers.
module elementwise_lane #(
    parameter int unsigned Function = 0,
    parameter int unsigned ABits = 8,
    parameter int unsigned AKind = 1,
    parameter int unsigned BBits = 8,
    parameter int unsigned BKind = 1,
    parameter int unsigned OutBits = 9,
    parameter int unsigned OutKind = 1
) (
    input  logic               clk_i,
    input  logic [  ABits-1:0] a_i,
    input  logic [  BBits-1:0] b_i,
    output logic [OutBits-1:0] y_o
);
  // Everything is computed in as many bits as operands and result have with a sign.
  localparam int unsigned Wider = (ABits > BBits) ? ABits : BBits;
  localparam int unsigned Bits = ((OutBits > Wider) ? OutBits : Wider) + 1;

  logic [ABits-1:0] a_q;
  logic [BBits-1:0] b_q;
  always_ff @(posedge clk_i) begin
    a_q <= a_i;
    b_q <= b_i;
  end

  logic [Bits-1:0] a, b, y;
  signed_value #(
      .InBits (ABits),
      .Kind   (AKind),
      .OutBits(Bits)
  ) u_a (
      .value_i(a_q),
      .value_o(a)
  );
  signed_value #(
      .InBits (BBits),
      .Kind   (BKind),
      .OutBits(Bits)
  ) u_b (
      .value_i(b_q),
      .value_o(b)
  );

  generate
    if (Function == 2) begin : g_product
      logic [Bits-1:0] product_q;
      assign y = product_q;
      // A factor of -1 or 1 is a choice; as a product it would take a multiplier block.
      if (BKind == 2) begin : g_sign_of_b
        always_ff @(posedge clk_i) product_q <= b_q[0] ? a : -a;
        logic unused_b;
        assign unused_b = ^b;
      end else if (AKind == 2) begin : g_sign_of_a
        always_ff @(posedge clk_i) product_q <= a_q[0] ? b : -b;
        logic unused_a;
        assign unused_a = ^a;
      end else begin : g_multiply
        always_ff @(posedge clk_i) product_q <= $signed(a) * $signed(b);
      end
    end else begin : g_other
      logic greater, equal;
      assign greater = $signed(a) > $signed(b);
      assign equal = a == b;
      always_comb begin
        case (Function)
          0: y = a + b;
          1: y = a - b;
          3: y = greater ? a : b;
          4: y = greater ? b : a;
          5: y = greater ? a - b : b - a;
          6: y = Bits'(equal);
          7: y = Bits'(greater);
          8: y = Bits'(greater | equal);
          9: y = Bits'(!greater & !equal);
          10: y = Bits'(!greater);
          11: y = Bits'((a != '0) & (b != '0));
          12: y = Bits'((a != '0) | (b != '0));
          13: y = Bits'((a != '0) != (b != '0));
          14: y = a & b;
          15: y = a | b;
          16: y = a ^ b;
          17: y = a << b;
          default: y = Bits'($signed(a) >>> b);
        endcase
      end
      logic unused_order;
      assign unused_order = greater ^ equal;
    end

    if (Function > 18) begin : g_bad_function
      $error("elementwise_lane: Function is 0 to 18");
    end
    if (OutKind == 2) begin : g_bipolar
      always_ff @(posedge clk_i) y_o <= OutBits'(!y[Bits-1]);
    end else begin : g_integer
      always_ff @(posedge clk_i) y_o <= y[OutBits-1:0];
    end
  endgenerate
  logic unused_y;
  assign unused_y = ^y;
endmodule
