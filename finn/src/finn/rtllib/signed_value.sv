// A value of a stream as two's complement of OutBits bits.
//
// Kind: 0 unsigned, 1 two's complement, 2 bipolar (bit 0 is -1, bit 1 is +1).
module signed_value #(
    parameter int unsigned InBits  = 8,
    parameter int unsigned Kind    = 0,
    parameter int unsigned OutBits = 9
) (
    input  logic [ InBits-1:0] value_i,
    output logic [OutBits-1:0] value_o
);
  generate
    if (Kind > 2 || OutBits < InBits + ((Kind == 1) ? 0 : 1)) begin : g_bad_sizes
      $error("signed_value: OutBits has to hold the value, with a bit more than InBits for the sign if it has none");
    end
    if (Kind == 2) begin : g_bipolar
      assign value_o = {{(OutBits - 1) {!value_i[0]}}, 1'b1};
    end else if (OutBits == InBits) begin : g_same
      assign value_o = value_i;
    end else begin : g_extended
      assign value_o = {{(OutBits - InBits) {Kind == 1 && value_i[InBits-1]}}, value_i};
    end
  endgenerate
endmodule
