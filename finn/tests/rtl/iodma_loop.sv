// Copies memory to memory: one DMA engine reads it as a stream, another one writes the stream.
// The AXI4-Lite port belongs to the reading (target_i = 0) or to the writing one; it stays during a transfer.
module iodma_loop #(
    parameter int unsigned DataWidth = 64,
    parameter int unsigned StreamWidth = 64,
    parameter int unsigned Bytes = 64,
    parameter int unsigned Burst = 16,
    parameter int unsigned Bursts = 2
) (
    input  logic        clk_i,
    input  logic        rst_ni,
    input  logic [ 7:0] stall_i,  // of 256 cycles, of the memory and of the stream
    input  logic        target_i,
    input  logic [ 5:0] awaddr,
    input  logic        awvalid,
    output logic        awready,
    input  logic [31:0] wdata,
    input  logic        wvalid,
    output logic        wready,
    output logic        bvalid,
    input  logic        bready,
    input  logic [ 5:0] araddr,
    input  logic        arvalid,
    output logic        arready,
    output logic [31:0] rdata,
    output logic        rvalid,
    input  logic        rready,
    output int unsigned errors_o
);
  logic [1:0] awreadys, wreadys, bvalids, arreadys, rvalids;
  logic [31:0] rdatas[2];
  assign awready = awreadys[target_i];
  assign wready = wreadys[target_i];
  assign bvalid = bvalids[target_i];
  assign arready = arreadys[target_i];
  assign rvalid = rvalids[target_i];
  assign rdata = rdatas[target_i];

  typedef logic [63:0] address_t;
  address_t m_araddr[2], m_awaddr[2];
  logic [7:0] m_arlen[2], m_awlen[2];
  logic [2:0] m_arsize[2], m_awsize[2];
  logic [1:0] m_arburst[2], m_awburst[2], m_arvalid, m_awvalid, m_wvalid, m_wlast, m_rready, m_bready;
  logic [DataWidth-1:0] m_wdata[2], rd;
  logic [DataWidth/8-1:0] m_wstrb[2];
  logic [1:0] m_rresp, m_bresp;
  logic m_arready, m_awready, m_wready, m_rvalid, m_rlast, m_bvalid;
  logic [StreamWidth-1:0] data[2];
  logic [1:0] valid, ready_in;
  logic open_q;

  for (genvar k = 0; k < 2; k = k + 1) begin : g_engine
    iodma #(
        .Write(k == 1),
        .DataWidth(DataWidth),
        .StreamWidth(StreamWidth),
        .Bytes(Bytes),
        .Burst(Burst),
        .Bursts(Bursts)
    ) u_dma (
        .clk_i,
        .rst_ni,
        .s_axi_awaddr(awaddr),
        .s_axi_awvalid(awvalid && target_i == k),
        .s_axi_awready(awreadys[k]),
        .s_axi_wdata(wdata),
        .s_axi_wstrb('1),
        .s_axi_wvalid(wvalid && target_i == k),
        .s_axi_wready(wreadys[k]),
        .s_axi_bresp(),
        .s_axi_bvalid(bvalids[k]),
        .s_axi_bready(bready && target_i == k),
        .s_axi_araddr(araddr),
        .s_axi_arvalid(arvalid && target_i == k),
        .s_axi_arready(arreadys[k]),
        .s_axi_rdata(rdatas[k]),
        .s_axi_rresp(),
        .s_axi_rvalid(rvalids[k]),
        .s_axi_rready(rready && target_i == k),
        .m_axi_araddr(m_araddr[k]),
        .m_axi_arlen(m_arlen[k]),
        .m_axi_arsize(m_arsize[k]),
        .m_axi_arburst(m_arburst[k]),
        .m_axi_arcache(),
        .m_axi_arprot(),
        .m_axi_arvalid(m_arvalid[k]),
        .m_axi_arready(m_arready),
        .m_axi_rdata(rd),
        .m_axi_rresp(m_rresp),
        .m_axi_rlast(m_rlast),
        .m_axi_rvalid(m_rvalid),
        .m_axi_rready(m_rready[k]),
        .m_axi_awaddr(m_awaddr[k]),
        .m_axi_awlen(m_awlen[k]),
        .m_axi_awsize(m_awsize[k]),
        .m_axi_awburst(m_awburst[k]),
        .m_axi_awcache(),
        .m_axi_awprot(),
        .m_axi_awvalid(m_awvalid[k]),
        .m_axi_awready(m_awready),
        .m_axi_wdata(m_wdata[k]),
        .m_axi_wstrb(m_wstrb[k]),
        .m_axi_wlast(m_wlast[k]),
        .m_axi_wvalid(m_wvalid[k]),
        .m_axi_wready(m_wready),
        .m_axi_bresp(m_bresp),
        .m_axi_bvalid(m_bvalid),
        .m_axi_bready(m_bready[k]),
        .in_data_i(data[0]),
        .in_valid_i(valid[0] & open_q),
        .in_ready_o(ready_in[k]),
        .out_data_o(data[k]),
        .out_valid_o(valid[k]),
        .out_ready_i(ready_in[1] & open_q)
    );
  end

  // The stream rests between beats, too; a beat that is offered stays.
  always @(posedge clk_i) open_q <= (open_q && valid[0] && !ready_in[1]) || 8'($urandom) >= stall_i;

  axi_memory #(
      .DataWidth(DataWidth)
  ) u_memory (
      .clk_i,
      .rst_ni,
      .stall_i,
      .errors_o,
      .araddr(m_araddr[0]),
      .arlen(m_arlen[0]),
      .arsize(m_arsize[0]),
      .arburst(m_arburst[0]),
      .arvalid(m_arvalid[0]),
      .arready(m_arready),
      .rdata(rd),
      .rresp(m_rresp),
      .rlast(m_rlast),
      .rvalid(m_rvalid),
      .rready(m_rready[0]),
      .awaddr(m_awaddr[1]),
      .awlen(m_awlen[1]),
      .awsize(m_awsize[1]),
      .awburst(m_awburst[1]),
      .awvalid(m_awvalid[1]),
      .awready(m_awready),
      .wdata(m_wdata[1]),
      .wstrb(m_wstrb[1]),
      .wlast(m_wlast[1]),
      .wvalid(m_wvalid[1]),
      .wready(m_wready),
      .bresp(m_bresp),
      .bvalid(m_bvalid),
      .bready(m_bready[1])
  );
endmodule
