// Elements of Bits bits as bit planes: bit b of element i goes from [i * Bits + b] to [b * Size + i]; with Back = 1 the
// other way. Wires only.
module bit_planes #(
    parameter int unsigned Size = 4,
    parameter int unsigned Bits = 2,
    parameter bit Back = 0
) (
    input  logic [Size*Bits-1:0] data_i,
    output logic [Size*Bits-1:0] data_o
);
  generate
    if (Bits == 1 || Size == 1) begin : g_same
      assign data_o = data_i;
    end else begin : g_other
      for (genvar i = 0; i < Size; i = i + 1) begin : g_element
        for (genvar b = 0; b < Bits; b = b + 1) begin : g_bit
          if (Back) begin : g_back
            assign data_o[i*Bits+b] = data_i[b*Size+i];
          end else begin : g_forth
            assign data_o[b*Size+i] = data_i[i*Bits+b];
          end
        end
      end
    end
  endgenerate
endmodule
