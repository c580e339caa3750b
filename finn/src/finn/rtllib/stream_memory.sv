// One write port, one registered read port. A word may be read one cycle after it was written, not in the same cycle.
module stream_memory #(
    parameter int unsigned Width = 8,
    parameter int unsigned Depth = 16,
    /* verilator lint_off UNUSEDPARAM */  // a simulator has no memory styles
    parameter              RamStyle = "auto"
    /* verilator lint_on UNUSEDPARAM */
) (
    input  logic                                      clk_i,
    input  logic                                      write_i,
    input  logic [((Depth > 1) ? $clog2(Depth) : 1)-1:0] write_addr_i,
    input  logic [                         Width-1:0] write_data_i,
    input  logic [((Depth > 1) ? $clog2(Depth) : 1)-1:0] read_addr_i,
    output logic [                         Width-1:0] read_data_o
);
  (* ram_style = RamStyle *) logic [Width-1:0] memory[0:Depth-1];

  always_ff @(posedge clk_i) begin
    if (write_i) memory[write_addr_i] <= write_data_i;
    read_data_o <= memory[read_addr_i];
  end

`ifdef FORMAL
  localparam int unsigned AddrBits = (Depth > 1) ? $clog2(Depth) : 1;
  logic known_q = 1'b0;  // the word that was read has not been written since
  logic [AddrBits-1:0] addr_q;
  always_ff @(posedge clk_i) begin
    known_q <= !(write_i && write_addr_i == read_addr_i);
    addr_q  <= read_addr_i;
  end
  always_comb if (known_q) assert (read_data_o == memory[addr_q]);
`endif
endmodule
