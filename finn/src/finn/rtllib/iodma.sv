// DMA engine of one stream: reads it from memory (Write = 0) or writes it to memory (Write = 1), as an AXI4 master.
//
// A run transfers `repetitions` times Bytes bytes, one after the other from a buffer address on, which has to be aligned
// to a word of the bus. Beats of the stream are packed without gaps, first bytes first; the last word of the bus may be
// partly filled (its strobes say so; what is read beyond the end is dropped). Bus and stream may have any ratio of
// widths; min(DataWidth, gcd(StreamWidth, DataWidth)) bits pass per cycle.
// Registers: see iodma_control. Bursts: see iodma_bursts. Both directions have their ports; those of the other one rest.
module iodma #(
    parameter bit Write = 0,
    parameter int unsigned DataWidth = 64,  // of the bus: 8, 16, .. 1024 bits
    parameter int unsigned StreamWidth = 64,  // whole bytes
    parameter int unsigned Bytes = 64,  // per repetition; whole beats of the stream
    parameter int unsigned Burst = 16,  // most beats of a burst: a power of two, 2 to 256, not more than 4 KiB
    parameter int unsigned Bursts = 2,  // buffered; as many reads are outstanding
    parameter int unsigned AddrWidth = 64
) (
    input  logic                   clk_i,
    input  logic                   rst_ni,
    input  logic [            5:0] s_axi_awaddr,
    input  logic                   s_axi_awvalid,
    output logic                   s_axi_awready,
    input  logic [           31:0] s_axi_wdata,
    input  logic [            3:0] s_axi_wstrb,
    input  logic                   s_axi_wvalid,
    output logic                   s_axi_wready,
    output logic [            1:0] s_axi_bresp,
    output logic                   s_axi_bvalid,
    input  logic                   s_axi_bready,
    input  logic [            5:0] s_axi_araddr,
    input  logic                   s_axi_arvalid,
    output logic                   s_axi_arready,
    output logic [           31:0] s_axi_rdata,
    output logic [            1:0] s_axi_rresp,
    output logic                   s_axi_rvalid,
    input  logic                   s_axi_rready,
    output logic [  AddrWidth-1:0] m_axi_araddr,
    output logic [            7:0] m_axi_arlen,
    output logic [            2:0] m_axi_arsize,
    output logic [            1:0] m_axi_arburst,
    output logic [            3:0] m_axi_arcache,
    output logic [            2:0] m_axi_arprot,
    output logic                   m_axi_arvalid,
    input  logic                   m_axi_arready,
    input  logic [  DataWidth-1:0] m_axi_rdata,
    input  logic [            1:0] m_axi_rresp,
    input  logic                   m_axi_rlast,
    input  logic                   m_axi_rvalid,
    output logic                   m_axi_rready,
    output logic [  AddrWidth-1:0] m_axi_awaddr,
    output logic [            7:0] m_axi_awlen,
    output logic [            2:0] m_axi_awsize,
    output logic [            1:0] m_axi_awburst,
    output logic [            3:0] m_axi_awcache,
    output logic [            2:0] m_axi_awprot,
    output logic                   m_axi_awvalid,
    input  logic                   m_axi_awready,
    output logic [  DataWidth-1:0] m_axi_wdata,
    output logic [DataWidth/8-1:0] m_axi_wstrb,
    output logic                   m_axi_wlast,
    output logic                   m_axi_wvalid,
    input  logic                   m_axi_wready,
    input  logic [            1:0] m_axi_bresp,
    input  logic                   m_axi_bvalid,
    output logic                   m_axi_bready,
    input  logic [StreamWidth-1:0] in_data_i,
    input  logic                   in_valid_i,
    output logic                   in_ready_o,
    output logic [StreamWidth-1:0] out_data_o,
    output logic                   out_valid_o,
    input  logic                   out_ready_i
);
  function automatic int unsigned gcd(input int unsigned a, input int unsigned b);
    int unsigned x, y, r;
    x = a;
    y = b;
    while (y != 0) begin
      r = x % y;
      x = y;
      y = r;
    end
    gcd = x;
  endfunction

  localparam int unsigned Unit = gcd(StreamWidth, DataWidth);
  localparam int unsigned Units = Bytes * 8 / Unit;  // per repetition
  localparam int unsigned PerWord = DataWidth / Unit;
  localparam int unsigned CountBits = 33 + $clog2(Units + PerWord);

  generate
    if (DataWidth < 8 || DataWidth > 1024 || (DataWidth & (DataWidth - 1)) != 0) begin : g_bad_data_width
      $error("iodma: DataWidth has to be 8, 16, 32, .. or 1024 bits");
    end
    if (StreamWidth % 8 != 0 || (Bytes * 8) % StreamWidth != 0) begin : g_bad_stream
      $error("iodma: StreamWidth has to be whole bytes, and Bytes whole beats of the stream");
    end
    if (Burst < 2 || Burst > 256 || (Burst & (Burst - 1)) != 0 || Burst * DataWidth > 4096 * 8) begin : g_bad_burst
      $error("iodma: Burst has to be a power of two from 2 to 256, and not more than 4 KiB");
    end
  endgenerate

  logic start, done, failed;
  logic [63:0] address;
  logic [31:0] repetitions;
  iodma_control u_control (
      .clk_i,
      .rst_ni,
      .s_axi_awaddr,
      .s_axi_awvalid,
      .s_axi_awready,
      .s_axi_wdata,
      .s_axi_wstrb,
      .s_axi_wvalid,
      .s_axi_wready,
      .s_axi_bresp,
      .s_axi_bvalid,
      .s_axi_bready,
      .s_axi_araddr,
      .s_axi_arvalid,
      .s_axi_arready,
      .s_axi_rdata,
      .s_axi_rresp,
      .s_axi_rvalid,
      .s_axi_rready,
      .start_o(start),
      .address_o(address),
      .repetitions_o(repetitions),
      .done_i(done),
      .failed_i(failed)
  );

  logic go, burst_valid, burst_ready, burst_last;
  logic [CountBits-1:0] units;
  logic [AddrWidth-1:0] burst_address;
  logic [8:0] burst_beats;
  iodma_bursts #(
      .AddrWidth(AddrWidth),
      .WordBytes(DataWidth / 8),
      .Burst(Burst),
      .Units(Units),
      .PerWord(PerWord),
      .CountBits(CountBits)
  ) u_bursts (
      .clk_i,
      .rst_ni,
      .start_i(start),
      .address_i(AddrWidth'(address)),
      .repetitions_i(repetitions),
      .go_o(go),
      .units_o(units),
      .burst_valid_o(burst_valid),
      .burst_ready_i(burst_ready),
      .burst_address_o(burst_address),
      .burst_beats_o(burst_beats),
      .burst_last_o(burst_last)
  );

  localparam logic [2:0] Size = 3'($clog2(DataWidth / 8));
  localparam logic [1:0] Incrementing = 2'b01;
  localparam logic [3:0] Cache = 4'b0011;  // normal memory: an interconnect may merge what is narrower than the memory
  assign m_axi_arsize  = Size;
  assign m_axi_awsize  = Size;
  assign m_axi_arburst = Incrementing;
  assign m_axi_awburst = Incrementing;
  assign m_axi_arcache = Cache;
  assign m_axi_awcache = Cache;
  assign m_axi_arprot  = '0;
  assign m_axi_awprot  = '0;

  generate
    if (Write) begin : g_write
      logic unused_read;
      assign unused_read = m_axi_arready | (^m_axi_rdata) | (^m_axi_rresp) | m_axi_rlast | m_axi_rvalid | out_ready_i;
      assign m_axi_araddr = '0;
      assign m_axi_arlen = '0;
      assign m_axi_arvalid = 1'b0;
      assign m_axi_rready = 1'b0;
      assign out_data_o = '0;
      assign out_valid_o = 1'b0;
      iodma_writer #(
          .DataWidth(DataWidth),
          .StreamWidth(StreamWidth),
          .UnitWidth(Unit),
          .Burst(Burst),
          .Bursts(Bursts),
          .AddrWidth(AddrWidth),
          .CountBits(CountBits)
      ) u_writer (
          .clk_i,
          .rst_ni,
          .start_i(start),
          .go_i(go),
          .units_i(units),
          .burst_valid_i(burst_valid),
          .burst_ready_o(burst_ready),
          .burst_address_i(burst_address),
          .burst_beats_i(burst_beats),
          .burst_last_i(burst_last),
          .done_o(done),
          .failed_o(failed),
          .m_axi_awaddr,
          .m_axi_awlen,
          .m_axi_awvalid,
          .m_axi_awready,
          .m_axi_wdata,
          .m_axi_wstrb,
          .m_axi_wlast,
          .m_axi_wvalid,
          .m_axi_wready,
          .m_axi_bresp,
          .m_axi_bvalid,
          .m_axi_bready,
          .in_data_i,
          .in_valid_i,
          .in_ready_o
      );
    end else begin : g_read
      logic unused_write;
      assign unused_write = m_axi_awready | m_axi_wready | (^m_axi_bresp) | m_axi_bvalid | (^in_data_i) | in_valid_i
          | m_axi_rlast | burst_last;
      assign m_axi_awaddr = '0;
      assign m_axi_awlen = '0;
      assign m_axi_awvalid = 1'b0;
      assign m_axi_wdata = '0;
      assign m_axi_wstrb = '0;
      assign m_axi_wlast = 1'b0;
      assign m_axi_wvalid = 1'b0;
      assign m_axi_bready = 1'b0;
      assign in_ready_o = 1'b0;
      iodma_reader #(
          .DataWidth(DataWidth),
          .StreamWidth(StreamWidth),
          .UnitWidth(Unit),
          .Burst(Burst),
          .Bursts(Bursts),
          .AddrWidth(AddrWidth),
          .CountBits(CountBits)
      ) u_reader (
          .clk_i,
          .rst_ni,
          .start_i(start),
          .go_i(go),
          .units_i(units),
          .burst_valid_i(burst_valid),
          .burst_ready_o(burst_ready),
          .burst_address_i(burst_address),
          .burst_beats_i(burst_beats),
          .done_o(done),
          .failed_o(failed),
          .m_axi_araddr,
          .m_axi_arlen,
          .m_axi_arvalid,
          .m_axi_arready,
          .m_axi_rdata,
          .m_axi_rresp,
          .m_axi_rvalid,
          .m_axi_rready,
          .out_data_o,
          .out_valid_o,
          .out_ready_i
      );
    end
  endgenerate
endmodule
