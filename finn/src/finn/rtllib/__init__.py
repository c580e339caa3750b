"""The SystemVerilog library: one module per file, found through `finn.rtl.library`."""
