// First-in first-out buffer between two streams.
//
// Contract: beats leave in the order in which they entered. `ready` and `valid` are functions of registers only, so the
// buffer cuts every combinational path. A beat is offered two cycles after it was accepted; the read side is registered.
// It holds up to Depth beats. Any Depth >= 2; memory style by the synthesis tool unless RamStyle says otherwise.
module streaming_fifo #(
    parameter int unsigned Width = 8,
    parameter int unsigned Depth = 2,
    parameter              RamStyle = "auto"
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
  localparam int unsigned AddrBits = $clog2(Depth);
  localparam int unsigned CountBits = $clog2(Depth + 1);

  generate
    if (Depth < 2) begin : g_bad_depth
      $error("streaming_fifo: Depth has to be 2 or more");
    end
  endgenerate

  logic [AddrBits-1:0] write_q, read_q, read_d;
  logic [CountBits-1:0] count_q, count_d;  // accepted and not yet taken
  logic [CountBits-1:0] stored_q;  // of these, readable: written at least one cycle ago
  logic write, read, written_q, ready_q, valid_q;

  assign write = in_valid_i & ready_q;
  assign read = valid_q & out_ready_i;
  assign in_ready_o = ready_q;
  assign out_valid_o = valid_q;

  always_comb begin
    count_d = count_q;
    if (write && !read) count_d = count_q + 1'b1;
    if (!write && read) count_d = count_q - 1'b1;
    read_d = read_q;
    if (read) read_d = (read_q == AddrBits'(Depth - 1)) ? '0 : read_q + 1'b1;
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      write_q   <= '0;
      read_q    <= '0;
      count_q   <= '0;
      stored_q  <= '0;
      written_q <= 1'b0;
      ready_q   <= 1'b0;
      valid_q   <= 1'b0;
    end else begin
      if (write) write_q <= (write_q == AddrBits'(Depth - 1)) ? '0 : write_q + 1'b1;
      read_q    <= read_d;
      count_q   <= count_d;
      written_q <= write;
      stored_q  <= stored_q + CountBits'(written_q) - CountBits'(read);
      ready_q   <= count_d != CountBits'(Depth);
      valid_q   <= (stored_q + CountBits'(written_q) != CountBits'(read));
    end
  end

  stream_memory #(
      .Width(Width),
      .Depth(Depth),
      .RamStyle(RamStyle)
  ) u_memory (
      .clk_i,
      .write_i(write),
      .write_addr_i(write_q),
      .write_data_i(in_data_i),
      .read_addr_i(read_d),
      .read_data_o(out_data_o)
  );

`ifdef FORMAL
  // What makes the contract inductive. Pointers and counts agree; a beat on offer is not being overwritten.
  logic started_q = 1'b0, overwritten_q;
  logic [31:0] behind;
  assign behind = 32'(read_q) + 32'(count_q);
  always_ff @(posedge clk_i) begin
    started_q <= 1'b1;
    overwritten_q <= write && write_q == read_d;
  end
  always_comb
    if (started_q) begin
      assert (32'(write_q) < Depth && 32'(read_q) < Depth && 32'(count_q) <= Depth);
      assert (32'(write_q) == ((behind >= Depth) ? behind - Depth : behind));
      assert (32'(count_q) == 32'(stored_q) + 32'(written_q));
      assert (valid_q == (stored_q != '0));
      assert (!(ready_q && count_q == CountBits'(Depth)));
      assert (!(valid_q && overwritten_q));
    end
`endif
`ifndef SYNTHESIS
  logic [31:0] peak_q  /*verilator public_flat_rd*/;  // most beats held at once since reset
  logic [31:0] level_q  /*verilator public_flat_rd*/;
  always_ff @(posedge clk_i) begin
    level_q <= 32'(count_d);
    if (!rst_ni) peak_q <= '0;
    else if (32'(count_d) > peak_q) peak_q <= 32'(count_d);
  end
`endif
endmodule
