// A memory that a unit reads in each cycle, with a second port for writing and reading back, filled from a hex file
// ($readmemh: one word a line). Data follow the address by one cycle, on both ports.
// What is read while it is written is undefined. UltraRAM (RamStyle "ultra") starts empty: most families cannot fill it.
module writable_memory #(
    parameter int unsigned Width = 8,
    parameter int unsigned Depth = 16,
    parameter              RamStyle = "auto",
    parameter              File = ""
) (
    input  logic                                      clk_i,
    input  logic [((Depth > 1) ? $clog2(Depth) : 1)-1:0] addr_i,
    output logic [                         Width-1:0] data_o,
    input  logic                                      access_write_i,
    input  logic [((Depth > 1) ? $clog2(Depth) : 1)-1:0] access_addr_i,
    input  logic [                         Width-1:0] access_data_i,
    output logic [                         Width-1:0] access_data_o
);
  (* ram_style = RamStyle *) logic [Width-1:0] memory[0:Depth-1];
  generate
    /* verilator lint_off WIDTHEXPAND */  // texts of different lengths
    if (File != "" && RamStyle != "ultra") begin : g_init
      /* verilator lint_on WIDTHEXPAND */
      initial $readmemh(File, memory);
    end
  endgenerate

  always_ff @(posedge clk_i) begin
    if (access_write_i) memory[access_addr_i] <= access_data_i;
    access_data_o <= memory[access_addr_i];
  end
  always_ff @(posedge clk_i) data_o <= memory[addr_i];
endmodule
