// AXI4-Lite (ARM IHI 0022, B1) to requests {write, address of the word, data}, each of which is replied to with a word.
//
// One access at a time; writes go first. All answers are OKAY. A write of a part of a word is answered, too, but nothing
// is written. All outputs are functions of registers.
module axi_lite #(
    parameter int unsigned AddrBits = 12  // of addresses of bytes
) (
    input  logic                clk_i,
    input  logic                rst_ni,
    input  logic [AddrBits-1:0] s_axilite_awaddr_i,
    input  logic                s_axilite_awvalid_i,
    output logic                s_axilite_awready_o,
    input  logic [        31:0] s_axilite_wdata_i,
    input  logic [         3:0] s_axilite_wstrb_i,
    input  logic                s_axilite_wvalid_i,
    output logic                s_axilite_wready_o,
    output logic [         1:0] s_axilite_bresp_o,
    output logic                s_axilite_bvalid_o,
    input  logic                s_axilite_bready_i,
    input  logic [AddrBits-1:0] s_axilite_araddr_i,
    input  logic                s_axilite_arvalid_i,
    output logic                s_axilite_arready_o,
    output logic [        31:0] s_axilite_rdata_o,
    output logic [         1:0] s_axilite_rresp_o,
    output logic                s_axilite_rvalid_o,
    input  logic                s_axilite_rready_i,
    output logic [AddrBits+30:0] request_data_o,
    output logic                request_valid_o,
    input  logic                request_ready_i,
    input  logic [        31:0] reply_data_i,
    input  logic                reply_valid_i,
    output logic                reply_ready_o
);
  // What has been offered and waits.
  logic to_q, data_q, from_q, full_q;
  logic [AddrBits-3:0] to_addr_q, from_addr_q;
  logic [31:0] word_q, read_q;
  assign s_axilite_awready_o = !to_q;
  assign s_axilite_wready_o  = !data_q;
  assign s_axilite_arready_o = !from_q;

  // The access that goes on: its request, then its reply, then its answer.
  logic busy_q, asks_q, writes_q, bvalid_q, rvalid_q, write, start, replied, answered;
  assign write = to_q && data_q;
  assign start = !busy_q && (write || from_q);
  assign replied = reply_valid_i && reply_ready_o;
  assign answered = (bvalid_q && s_axilite_bready_i) || (rvalid_q && s_axilite_rready_i);
  assign request_valid_o = asks_q;
  assign request_data_o = {writes_q && full_q, writes_q ? to_addr_q : from_addr_q, word_q};
  assign reply_ready_o = busy_q && !bvalid_q && !rvalid_q;
  assign s_axilite_bvalid_o = bvalid_q;
  assign s_axilite_bresp_o = 2'b00;
  assign s_axilite_rvalid_o = rvalid_q;
  assign s_axilite_rresp_o = 2'b00;
  assign s_axilite_rdata_o = read_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      {to_q, data_q, from_q, busy_q, asks_q, bvalid_q, rvalid_q} <= '0;
    end else begin
      to_q     <= (to_q && !(replied && writes_q)) || (s_axilite_awvalid_i && !to_q);
      data_q   <= (data_q && !(replied && writes_q)) || (s_axilite_wvalid_i && !data_q);
      from_q   <= (from_q && !(replied && !writes_q)) || (s_axilite_arvalid_i && !from_q);
      busy_q   <= start || (busy_q && !answered);
      asks_q   <= start || (asks_q && !request_ready_i);
      bvalid_q <= (replied && writes_q) || (bvalid_q && !s_axilite_bready_i);
      rvalid_q <= (replied && !writes_q) || (rvalid_q && !s_axilite_rready_i);
    end
    if (!busy_q) writes_q <= write;
    if (!to_q) to_addr_q <= s_axilite_awaddr_i[AddrBits-1:2];
    if (!from_q) from_addr_q <= s_axilite_araddr_i[AddrBits-1:2];
    if (!data_q) {full_q, word_q} <= {&s_axilite_wstrb_i, s_axilite_wdata_i};
    if (replied) read_q <= reply_data_i;
  end
  logic unused_low;
  assign unused_low = ^{s_axilite_awaddr_i[1:0], s_axilite_araddr_i[1:0]};
endmodule
