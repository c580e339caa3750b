// y = sum over i of w[i] * x[i], pipelined, from bit planes.
//
// Operands are plane-major: bit b of element i stands at [b * Size + i]. A plane pair (a, b) contributes
// +-2^(a+b) * popcount(x_a & w_b); the sign is negative where exactly one of the two planes is the sign plane of a two's
// complement operand. With Xnor = 1 both operands are one plane of bits that stand for -1 and +1, and y is the number of
// equal bits P; the dot product is 2 P - Size.
// Latency: 1 + CountLevels + SumLevels cycles.
module dot_product #(
    parameter int unsigned Size = 8,
    parameter int unsigned WPlanes = 1,
    parameter int unsigned XPlanes = 1,
    parameter bit WSigned = 0,
    parameter bit XSigned = 0,
    parameter bit Xnor = 0,
    parameter int unsigned OutBits = 8,
    parameter int unsigned Chunk = 8,
    parameter int unsigned CountLevels = 0,  // the least n with 3^n * Chunk >= Size
    parameter int unsigned SumLevels = 0  // the least n with 3^n >= WPlanes * XPlanes
) (
    input  logic                    clk_i,
    input  logic [WPlanes*Size-1:0] w_i,
    input  logic [XPlanes*Size-1:0] x_i,
    output logic [     OutBits-1:0] y_o
);
  localparam int unsigned CountBits = $clog2(Size + 1);
  localparam int unsigned Terms = WPlanes * XPlanes;

  generate
    for (genvar l = 0; l <= SumLevels; l = l + 1) begin : g_level
      localparam int unsigned Group = 3 ** l;
      localparam int unsigned Nodes = (Terms + Group - 1) / Group;
      for (genvar i = 0; i < Nodes; i = i + 1) begin : g_node
        logic [OutBits-1:0] sum;
        if (l == 0) begin : g_leaf
          localparam int unsigned A = i / WPlanes;
          localparam int unsigned B = i % WPlanes;
          localparam bit Negative = (XSigned && A == XPlanes - 1) != (WSigned && B == WPlanes - 1);
          logic [CountBits-1:0] count;
          match_count #(
              .Width(Size),
              .Xnor(Xnor),
              .Chunk(Chunk),
              .Levels(CountLevels),
              .OutBits(CountBits)
          ) u_count (
              .clk_i,
              .x_i(x_i[A*Size+:Size]),
              .w_i(w_i[B*Size+:Size]),
              .y_o(count)
          );
          if (Negative) begin : g_negative
            assign sum = -(OutBits'(count) << (A + B));
          end else begin : g_positive
            assign sum = OutBits'(count) << (A + B);
          end
        end else begin : g_sum
          localparam int unsigned Below = (Terms + Group / 3 - 1) / (Group / 3);
          if (3 * i + 2 < Below) begin : g_three
            always_ff @(posedge clk_i)
              sum <= g_level[l-1].g_node[3*i].sum + g_level[l-1].g_node[3*i+1].sum + g_level[l-1].g_node[3*i+2].sum;
          end else if (3 * i + 1 < Below) begin : g_two
            always_ff @(posedge clk_i) sum <= g_level[l-1].g_node[3*i].sum + g_level[l-1].g_node[3*i+1].sum;
          end else begin : g_one
            always_ff @(posedge clk_i) sum <= g_level[l-1].g_node[3*i].sum;
          end
        end
      end
    end
  endgenerate
  assign y_o = g_level[SumLevels].g_node[0].sum;
endmodule
