// Queue of Depth words with registered flags: in_ready_o and out_valid_o are functions of registers only.
module word_queue #(
  parameter int unsigned Width = 32,
  parameter int unsigned Depth = 16
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic [Width-1:0] in_data_i,
  input  logic             in_valid_i,
  output logic             in_ready_o,
  output logic [Width-1:0] out_data_o,
  output logic             out_valid_o,
  input  logic             out_ready_i
);
  localparam int unsigned AddrW = $clog2(Depth);
  logic [Width-1:0] words [Depth];
  logic [AddrW:0]   write_q, read_q;
  logic             push, pop;

  assign push = in_valid_i && in_ready_o;
  assign pop = out_valid_o && out_ready_i;
  assign in_ready_o = (write_q[AddrW-1:0] != read_q[AddrW-1:0]) || (write_q[AddrW] == read_q[AddrW]);
  assign out_valid_o = write_q != read_q;
  assign out_data_o = words[read_q[AddrW-1:0]];
  always_ff @(posedge clk_i) begin
    if (push) words[write_q[AddrW-1:0]] <= in_data_i;
    if (!rst_ni) begin
      write_q <= '0;
      read_q  <= '0;
    end else begin
      write_q <= write_q + (AddrW+1)'(push);
      read_q  <= read_q + (AddrW+1)'(pop);
    end
  end
endmodule
