// Read-only memory with a registered read, filled from a hex file ($readmemh: one word a line).
// Depth 1 is a constant. Data follow the address by one cycle.
module constant_memory #(
    parameter int unsigned Width = 8,
    parameter int unsigned Depth = 16,
    parameter              RamStyle = "auto",
    parameter              File = ""
) (
    input  logic                                      clk_i,
    input  logic [((Depth > 1) ? $clog2(Depth) : 1)-1:0] addr_i,
    output logic [                         Width-1:0] data_o
);
  /* verilator lint_off UNUSEDPARAM */  // a simulator has no memory styles
  // Yosys calls a memory of look-up tables "logic"; what it calls "distributed" has to have a write port.
`ifdef YOSYS
  localparam Style = (RamStyle == "distributed") ? "logic" : RamStyle;
`else
  localparam Style = RamStyle;
`endif
  /* verilator lint_on UNUSEDPARAM */
  /* verilator lint_off UNDRIVEN */  // without a file, as in lint, it is empty
  (* ram_style = Style *) logic [Width-1:0] memory[0:Depth-1];
  /* verilator lint_on UNDRIVEN */
  generate
    if (File != "") begin : g_init
      initial $readmemh(File, memory);
    end
    if (Depth > 1) begin : g_read
      always_ff @(posedge clk_i) data_o <= memory[addr_i];
    end else begin : g_constant
      logic unused_addr;
      assign unused_addr = ^addr_i;
      always_ff @(posedge clk_i) data_o <= memory[0];
    end
  endgenerate
endmodule
