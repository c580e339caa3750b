// Watches one stream in simulation: counts its beats and waits, and asserts the AXI4-Stream handshake rule that a beat,
// once valid, stays valid and unchanged until it is taken (AMBA AXI-Stream IHI 0051, 2.2.1). Nothing in synthesis.
module stream_probe #(
    parameter int unsigned Width = 8
) (
    input logic             clk_i,
    input logic             rst_ni,
    input logic [Width-1:0] data_i,
    input logic             valid_i,
    input logic             ready_i
);
`ifndef SYNTHESIS
  logic [31:0] beats_q  /*verilator public_flat_rd*/;
  logic [31:0] blocked_q  /*verilator public_flat_rd*/;  // cycles valid and not ready
  logic [31:0] starved_q  /*verilator public_flat_rd*/;  // cycles ready and not valid
  logic [1:0] state_q  /*verilator public_flat_rd*/;  // {valid, ready} of the last cycle
  always_ff @(posedge clk_i) begin
    state_q <= {valid_i, ready_i};
    if (!rst_ni) begin
      beats_q   <= '0;
      blocked_q <= '0;
      starved_q <= '0;
    end else begin
      if (valid_i && ready_i) beats_q <= beats_q + 1;
      if (valid_i && !ready_i) blocked_q <= blocked_q + 1;
      if (!valid_i && ready_i) starved_q <= starved_q + 1;
    end
  end

  logic waiting_q;
  logic [Width-1:0] data_q;
  always_ff @(posedge clk_i) begin
    waiting_q <= rst_ni && valid_i && !ready_i;
    data_q <= data_i;
    if (rst_ni && waiting_q) begin
      assert (valid_i)
      else $error("%m: valid was withdrawn before the beat was taken");
      assert (data_i == data_q)
      else $error("%m: data changed while the beat waited");
    end
  end
`else
  logic unused_ports;
  assign unused_ports = ^{clk_i, rst_ni, data_i, valid_i, ready_i};
`endif
endmodule
