// The registers of a DMA engine on AXI4-Lite, at the places where FINN's drivers look for them.
//
// 0x00 control: bit 0 starts a run (it reads 1 while one goes on; another start meanwhile is ignored), bit 1 says that it
//      is done (until it was read, or the next start), bit 2 that none goes on.
// 0x10, 0x14: buffer address, low and high. 0x1C: number of repetitions.
// 0x20 status: bit 0 says that the memory answered with an error in this run or the last.
// Other places read 0. A register may be written while a run goes on: the next one uses it.
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

  logic address_held_q, data_held_q, answer_q, write;
  logic [3:0] place_q, strobe_q;
  logic [31:0] data_q;
  assign s_axi_awready = !address_held_q;
  assign s_axi_wready = !data_held_q;
  assign s_axi_bvalid = answer_q;
  assign s_axi_bresp = 2'b00;
  assign write = address_held_q && data_held_q && !answer_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      address_held_q <= 1'b0;
      data_held_q <= 1'b0;
      answer_q <= 1'b0;
    end else begin
      address_held_q <= !write && (address_held_q || s_axi_awvalid);
      data_held_q <= !write && (data_held_q || s_axi_wvalid);
      answer_q <= write || (answer_q && !s_axi_bready);
    end
    if (s_axi_awready) place_q <= s_axi_awaddr[5:2];
    if (s_axi_wready) {strobe_q, data_q} <= {s_axi_wstrb, s_axi_wdata};
  end

  logic busy_q, done_q, failed_q, start_q, read;
  logic [63:0] address_q;
  logic [31:0] repetitions_q, read_q;
  logic read_valid_q;
  assign start_o = start_q;
  assign address_o = address_q;
  assign repetitions_o = repetitions_q;
  assign s_axi_arready = !read_valid_q;
  assign s_axi_rvalid = read_valid_q;
  assign s_axi_rdata = read_q;
  assign s_axi_rresp = 2'b00;
  assign read = s_axi_arvalid & s_axi_arready;

  always_ff @(posedge clk_i) begin
    start_q <= 1'b0;
    if (!rst_ni) begin
      {busy_q, done_q, failed_q, read_valid_q} <= '0;
      address_q <= '0;
      repetitions_q <= '0;
    end else begin
      read_valid_q <= read || (read_valid_q && !s_axi_rready);
      if (read && s_axi_araddr[5:2] == Control) done_q <= 1'b0;
      if (failed_i) failed_q <= 1'b1;
      if (done_i) {busy_q, done_q} <= 2'b01;
      if (write) begin
        for (int b = 0; b < 4; b = b + 1) begin
          if (strobe_q[b] && place_q == Low) address_q[8*b+:8] <= data_q[8*b+:8];
          if (strobe_q[b] && place_q == High) address_q[32+8*b+:8] <= data_q[8*b+:8];
          if (strobe_q[b] && place_q == Repetitions) repetitions_q[8*b+:8] <= data_q[8*b+:8];
        end
        if (place_q == Control && strobe_q[0] && data_q[0] && !busy_q) begin
          start_q <= 1'b1;
          {busy_q, done_q, failed_q} <= 3'b100;
        end
      end
    end
    if (read) begin
      case (s_axi_araddr[5:2])
        Control: read_q <= {29'd0, !busy_q, done_q, busy_q};
        Low: read_q <= address_q[31:0];
        High: read_q <= address_q[63:32];
        Repetitions: read_q <= repetitions_q;
        Status: read_q <= {31'd0, failed_q};
        default: read_q <= '0;
      endcase
    end
  end
  logic unused_low;
  assign unused_low = ^{s_axi_awaddr[1:0], s_axi_araddr[1:0]};
endmodule
