// A memory on AXI4 for simulation, that answers late and at random, and watches its master.
//
// stall_i is how often of 256 cycles each channel rests. Up to 4 bursts wait on either side; data may come before their
// address. What lies behind the end is answered by SLVERR. errors_o counts broken rules of AXI4 (ARM IHI 0022): what is
// offered stays until it is taken; bursts are incrementing, of whole aligned words, do not cross 4 KiB; WLAST is set on
// the last beat and no other.
module axi_memory #(
    parameter int unsigned DataWidth = 64,
    parameter int unsigned AddrWidth = 64,
    parameter int unsigned Size = 65536  // bytes
) (
    input  logic                   clk_i,
    input  logic                   rst_ni,
    input  logic [            7:0] stall_i,
    output int unsigned            errors_o,
    input  logic [  AddrWidth-1:0] araddr,
    input  logic [            7:0] arlen,
    input  logic [            2:0] arsize,
    input  logic [            1:0] arburst,
    input  logic                   arvalid,
    output logic                   arready,
    output logic [  DataWidth-1:0] rdata,
    output logic [            1:0] rresp,
    output logic                   rlast,
    output logic                   rvalid,
    input  logic                   rready,
    input  logic [  AddrWidth-1:0] awaddr,
    input  logic [            7:0] awlen,
    input  logic [            2:0] awsize,
    input  logic [            1:0] awburst,
    input  logic                   awvalid,
    output logic                   awready,
    input  logic [  DataWidth-1:0] wdata,
    input  logic [DataWidth/8-1:0] wstrb,
    input  logic                   wlast,
    input  logic                   wvalid,
    output logic                   wready,
    output logic [            1:0] bresp,
    output logic                   bvalid,
    input  logic                   bready
);
  localparam int unsigned WordBytes = DataWidth / 8;
  localparam int Waiting = 4;
  typedef logic [AddrWidth-1:0] address_t;
  typedef struct packed {
    address_t address;
    logic [8:0] beats;  // to come
  } burst_t;
  typedef struct packed {
    logic [DataWidth-1:0] data;
    logic [WordBytes-1:0] strobe;
    logic last;
  } beat_t;

  logic [7:0] bytes_q[Size]  /*verilator public_flat_rw*/;
  burst_t reads[$], writes[$];
  beat_t beats[$];
  logic [1:0] answers[$];
  logic [1:0] worst;

  function automatic logic open();
    open = 8'($urandom) >= stall_i;
  endfunction

  task automatic check(input logic holds, input string rule);
    if (!holds) begin
      errors_o <= errors_o + 1;
      $display("axi_memory: %s", rule);
    end
  endtask

  task automatic check_burst(input address_t address, input logic [7:0] len, input logic [2:0] size, input logic [1:0] kind);
    check((1 << size) == WordBytes && kind == 2'b01, "bursts have to increment by whole words");
    check(address % WordBytes == 0, "the address is not aligned");
    check(address[AddrWidth-1:12] == ((address + len * WordBytes) >> 12), "a burst crosses 4 KiB");
  endtask

  task automatic answer_write();
    beat_t beat;
    beat = beats.pop_front();
    check(beat.last == (writes[0].beats == 1), "WLAST is not at the end of the burst");
    if (writes[0].address >= address_t'(Size)) worst = 2'b10;
    else
      for (int b = 0; b < int'(WordBytes); b = b + 1)
        if (beat.strobe[b]) bytes_q[writes[0].address+address_t'(b)] <= beat.data[8*b+:8];
    writes[0].address = writes[0].address + address_t'(WordBytes);
    writes[0].beats = writes[0].beats - 1;
    if (writes[0].beats == 0) begin
      answers.push_back(worst);
      void'(writes.pop_front());
      worst = 2'b00;
    end
  endtask

  task automatic answer_read();
    rvalid <= 1'b1;
    rlast <= reads[0].beats == 1;
    rresp <= (reads[0].address >= address_t'(Size)) ? 2'b10 : 2'b00;
    for (int b = 0; b < int'(WordBytes); b = b + 1)
      rdata[8*b+:8] <= bytes_q[(reads[0].address+address_t'(b))%address_t'(Size)];
    reads[0].address = reads[0].address + address_t'(WordBytes);
    reads[0].beats = reads[0].beats - 1;
    if (reads[0].beats == 0) void'(reads.pop_front());
  endtask

  always @(posedge clk_i) begin
    if (!rst_ni) begin
      {arready, rvalid, awready, wready, bvalid} <= '0;
      errors_o <= 0;
      worst = 2'b00;
    end else begin
      if (rvalid && rready) rvalid <= 1'b0;
      if ((!rvalid || rready) && reads.size() > 0 && open()) answer_read();
      if (arvalid && arready) begin
        check_burst(araddr, arlen, arsize, arburst);
        reads.push_back({araddr, 9'(arlen) + 9'd1});
      end
      arready <= reads.size() < Waiting && open();

      if (bvalid && bready) bvalid <= 1'b0;
      if ((!bvalid || bready) && answers.size() > 0 && open()) begin
        bvalid <= 1'b1;
        bresp <= answers.pop_front();
      end
      if (awvalid && awready) begin
        check_burst(awaddr, awlen, awsize, awburst);
        writes.push_back({awaddr, 9'(awlen) + 9'd1});
      end
      awready <= writes.size() < Waiting && open();
      if (wvalid && wready) beats.push_back({wdata, wstrb, wlast});
      wready <= open();
      while (beats.size() > 0 && writes.size() > 0) answer_write();
    end
  end

  // What is offered stays.
  logic [AddrWidth+7:0] ar_q, aw_q;
  logic [DataWidth+WordBytes:0] w_q;
  logic ar_waits_q, aw_waits_q, w_waits_q;
  always @(posedge clk_i) begin
    ar_q <= {araddr, arlen};
    aw_q <= {awaddr, awlen};
    w_q  <= {wdata, wstrb, wlast};
    {ar_waits_q, aw_waits_q, w_waits_q} <= {arvalid && !arready, awvalid && !awready, wvalid && !wready} & {3{rst_ni}};
    if (ar_waits_q) check(arvalid && ar_q == {araddr, arlen}, "AR changed before it was taken");
    if (aw_waits_q) check(awvalid && aw_q == {awaddr, awlen}, "AW changed before it was taken");
    if (w_waits_q) check(wvalid && w_q == {wdata, wstrb, wlast}, "W changed before it was taken");
  end
endmodule
