// The registers of a DMA engine on AXI4-Lite, at the places where FINN's drivers look for them.
//
// 0x00 control: bit 0 starts a run (it reads 1 while one goes on; another start meanwhile is ignored), bit 1 says that it
//      is done (until it was read, or the next start), bit 2 that none goes on.
// 0x10, 0x14: buffer address, low and high. 0x1C: number of repetitions.
// 0x20 status: bit 0 says that the memory answered with an error in this run or the last.
// Other places read 0. A register may be written while a run goes on: the next one uses it. Words are written whole;
// a write of a part of one counts as a read.
module iodma_control (
    input  logic        clk_i,
    input  logic        rst_ni,
    input  logic [ 5:0] s_axi_awaddr,
    input  logic        s_axi_awvalid,
    output logic        s_axi_awready,
    input  logic [31:0] s_axi_wdata,
    input  logic [ 3:0] s_axi_wstrb,
    input  logic        s_axi_wvalid,
    output logic        s_axi_wready,
    output logic [ 1:0] s_axi_bresp,
    output logic        s_axi_bvalid,
    input  logic        s_axi_bready,
    input  logic [ 5:0] s_axi_araddr,
    input  logic        s_axi_arvalid,
    output logic        s_axi_arready,
    output logic [31:0] s_axi_rdata,
    output logic [ 1:0] s_axi_rresp,
    output logic        s_axi_rvalid,
    input  logic        s_axi_rready,
    output logic        start_o,
    output logic [63:0] address_o,
    output logic [31:0] repetitions_o,
    input  logic        done_i,
    input  logic        failed_i
);
  localparam logic [3:0] Control = 4'h0, Low = 4'h4, High = 4'h5, Repetitions = 4'h7, Status = 4'h8;  // in words

  // Each request is carried out and replied to in one cycle, when the answer to the one before has gone.
  logic request_valid, request_ready, write, reply_valid_q, reply_ready;
  logic [3:0] place;
  logic [31:0] word, reply_q;
  axi_lite #(
      .AddrBits(6)
  ) u_bus (
      .clk_i,
      .rst_ni,
      .s_axilite_awaddr_i(s_axi_awaddr),
      .s_axilite_awvalid_i(s_axi_awvalid),
      .s_axilite_awready_o(s_axi_awready),
      .s_axilite_wdata_i(s_axi_wdata),
      .s_axilite_wstrb_i(s_axi_wstrb),
      .s_axilite_wvalid_i(s_axi_wvalid),
      .s_axilite_wready_o(s_axi_wready),
      .s_axilite_bresp_o(s_axi_bresp),
      .s_axilite_bvalid_o(s_axi_bvalid),
      .s_axilite_bready_i(s_axi_bready),
      .s_axilite_araddr_i(s_axi_araddr),
      .s_axilite_arvalid_i(s_axi_arvalid),
      .s_axilite_arready_o(s_axi_arready),
      .s_axilite_rdata_o(s_axi_rdata),
      .s_axilite_rresp_o(s_axi_rresp),
      .s_axilite_rvalid_o(s_axi_rvalid),
      .s_axilite_rready_i(s_axi_rready),
      .request_data_o({write, place, word}),
      .request_valid_o(request_valid),
      .request_ready_i(request_ready),
      .reply_data_i(reply_q),
      .reply_valid_i(reply_valid_q),
      .reply_ready_o(reply_ready)
  );

  logic busy_q, done_q, failed_q, start_q, act;
  logic [63:0] address_q;
  logic [31:0] repetitions_q;
  assign start_o = start_q;
  assign address_o = address_q;
  assign repetitions_o = repetitions_q;
  assign request_ready = !reply_valid_q;
  assign act = request_valid & request_ready;

  always_ff @(posedge clk_i) begin
    start_q <= 1'b0;
    if (!rst_ni) begin
      {busy_q, done_q, failed_q, reply_valid_q} <= '0;
      address_q <= '0;
      repetitions_q <= '0;
    end else begin
      reply_valid_q <= act || (reply_valid_q && !reply_ready);
      if (act && !write && place == Control) done_q <= 1'b0;
      if (failed_i) failed_q <= 1'b1;
      if (done_i) {busy_q, done_q} <= 2'b01;
      if (act && write) begin
        case (place)
          Low: address_q[31:0] <= word;
          High: address_q[63:32] <= word;
          Repetitions: repetitions_q <= word;
          Control:
          if (word[0] && !busy_q) begin
            start_q <= 1'b1;
            {busy_q, done_q, failed_q} <= 3'b100;
          end
          default: ;
        endcase
      end
    end
    if (act) begin
      case (place)
        Control: reply_q <= {29'd0, !busy_q, done_q, busy_q};
        Low: reply_q <= address_q[31:0];
        High: reply_q <= address_q[63:32];
        Repetitions: reply_q <= repetitions_q;
        Status: reply_q <= {31'd0, failed_q};
        default: reply_q <= '0;
      endcase
    end
  end
endmodule
