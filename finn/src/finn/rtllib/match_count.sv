// y = how many positions i have x[i] & w[i] (or x[i] == w[i], with Xnor = 1), pipelined: chunks of Chunk positions are
// counted in the first cycle, then the counts are summed, three operands per adder stage.
// Latency: 1 + Levels cycles.
module match_count #(
    parameter int unsigned Width = 8,
    parameter bit Xnor = 0,
    parameter int unsigned Chunk = 8,
    parameter int unsigned Levels = 0,  // the least n with 3^n * Chunk >= Width
    parameter int unsigned OutBits = 4
) (
    input  logic               clk_i,
    input  logic [  Width-1:0] x_i,
    input  logic [  Width-1:0] w_i,
    output logic [OutBits-1:0] y_o
);
`ifndef VERILATOR_O3
  // Below -O3 Verilator 5.48 loses the names of the levels when it inlines this module.
  /*verilator no_inline_module*/
`endif
  localparam int unsigned Chunks = (Width + Chunk - 1) / Chunk;

  generate
    for (genvar l = 0; l <= Levels; l = l + 1) begin : g_level
      localparam int unsigned Group = 3 ** l;  // chunks below one node of this level
      localparam int unsigned Nodes = (Chunks + Group - 1) / Group;
      localparam int unsigned Full = Group * Chunk;
      localparam int unsigned Bits = $clog2(((Full < Width) ? Full : Width) + 1);
      localparam int unsigned FullBelow = Full / 3;
      localparam int unsigned BitsBelow = $clog2(((FullBelow < Width) ? FullBelow : Width) + 1);
      logic [Nodes*Bits-1:0] sums_q;
      for (genvar i = 0; i < Nodes; i = i + 1) begin : g_node
        if (l == 0) begin : g_leaf
          localparam int unsigned Low = i * Chunk;
          localparam int unsigned Size = (Width - Low < Chunk) ? Width - Low : Chunk;
          if (Xnor) begin : g_xnor
            always_ff @(posedge clk_i) sums_q[i*Bits+:Bits] <= Bits'($countones(~(x_i[Low+:Size] ^ w_i[Low+:Size])));
          end else begin : g_and
            always_ff @(posedge clk_i) sums_q[i*Bits+:Bits] <= Bits'($countones(x_i[Low+:Size] & w_i[Low+:Size]));
          end
        end else begin : g_sum
          localparam int unsigned Below = (Chunks + Group / 3 - 1) / (Group / 3);
          if (3 * i + 2 < Below) begin : g_three
            always_ff @(posedge clk_i)
              sums_q[i*Bits+:Bits] <= Bits'(g_level[l-1].sums_q[(3*i)*BitsBelow+:BitsBelow]) + Bits'(g_level[l-1].sums_q[(3*i+1)*BitsBelow+:BitsBelow])
                  + Bits'(g_level[l-1].sums_q[(3*i+2)*BitsBelow+:BitsBelow]);
          end else if (3 * i + 1 < Below) begin : g_two
            always_ff @(posedge clk_i)
              sums_q[i*Bits+:Bits] <= Bits'(g_level[l-1].sums_q[(3*i)*BitsBelow+:BitsBelow]) + Bits'(g_level[l-1].sums_q[(3*i+1)*BitsBelow+:BitsBelow]);
          end else begin : g_one
            always_ff @(posedge clk_i) sums_q[i*Bits+:Bits] <= Bits'(g_level[l-1].sums_q[(3*i)*BitsBelow+:BitsBelow]);
          end
        end
      end
    end
  endgenerate
  assign y_o = OutBits'(g_level[Levels].sums_q);
endmodule
