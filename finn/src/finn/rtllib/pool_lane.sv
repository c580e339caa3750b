// One step of a reduction: the value so far and a new one become the next value so far, and what leaves if it is the last.
//
// Function: 0 sum, 1 maximum, 2 minimum. Kind of the values as in signed_value. The value so far has AccBits bits, those
// of the value itself for maximum and minimum, else two's complement, or unsigned if the values are; it leaves shifted
// right by Shift, rounded down, as OutBits bits. Combinational.
module pool_lane #(
    parameter int unsigned Function = 0,
    parameter int unsigned InBits = 8,
    parameter int unsigned Kind = 0,
    parameter int unsigned AccBits = 10,
    parameter int unsigned Shift = 2,
    parameter int unsigned OutBits = 8
) (
    input  logic [AccBits-1:0] acc_i,
    input  logic               first_i,  // there is no value so far
    input  logic [ InBits-1:0] x_i,
    output logic [AccBits-1:0] acc_o,
    output logic [OutBits-1:0] y_o
);
  generate
    if (Function == 0) begin : g_sum
      logic [AccBits:0] x;
      signed_value #(
          .InBits (InBits),
          .Kind   (Kind),
          .OutBits(AccBits + 1)
      ) u_x (
          .value_i(x_i),
          .value_o(x)
      );
      logic unused_sign;
      assign unused_sign = x[AccBits];
      assign acc_o = (first_i ? '0 : acc_i) + x[AccBits-1:0];
      logic signed [AccBits+OutBits-1:0] shifted, wide;
      assign wide = {{OutBits{Kind != 0 && acc_o[AccBits-1]}}, acc_o};
      assign shifted = wide >>> Shift;
      assign y_o = shifted[OutBits-1:0];
      logic unused_shifted;
      assign unused_shifted = ^shifted;
    end else begin : g_order
      localparam logic [InBits-1:0] Flip = {Kind == 1, {(InBits - 1) {1'b0}}};  // offset binary: comparisons are unsigned
      logic larger;
      assign larger = (x_i ^ Flip) > (acc_i ^ Flip);
      assign acc_o = (first_i || larger == (Function == 1)) ? x_i : acc_i;
      assign y_o = acc_o;
      if (AccBits != InBits || OutBits != InBits || Shift != 0) begin : g_bad_bits
        $error("pool_lane: maximum and minimum have the bits of the values, and no Shift");
      end
    end
  endgenerate
endmodule
