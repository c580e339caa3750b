// Writes a stream to memory as the bursts of a run.
//
// A burst begins when all its words are here, so the bus never waits for the stream. The run is done when the memory has
// confirmed its last burst. The strobes of the last word leave out what lies behind the end.
module iodma_writer #(
    parameter int unsigned DataWidth = 64,
    parameter int unsigned StreamWidth = 64,
    parameter int unsigned UnitWidth = 64,  // divides both
    parameter int unsigned Burst = 16,
    parameter int unsigned Bursts = 2,
    parameter int unsigned AddrWidth = 64,
    parameter int unsigned CountBits = 37
) (
    input  logic                   clk_i,
    input  logic                   rst_ni,
    input  logic                   start_i,
    input  logic                   go_i,
    input  logic [  CountBits-1:0] units_i,
    input  logic                   burst_valid_i,
    output logic                   burst_ready_o,
    input  logic [  AddrWidth-1:0] burst_address_i,
    input  logic [            8:0] burst_beats_i,
    input  logic                   burst_last_i,
    output logic                   done_o,
    output logic                   failed_o,
    output logic [  AddrWidth-1:0] m_axi_awaddr,
    output logic [            7:0] m_axi_awlen,
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
    output logic                   in_ready_o
);
  localparam int unsigned Depth = Burst * Bursts;
  localparam int unsigned HeldBits = $clog2(Depth + 1);
  localparam int unsigned PerWord = DataWidth / UnitWidth;
  localparam int unsigned FillBits = (PerWord > 1) ? $clog2(PerWord) : 1;

  logic [UnitWidth-1:0] unit;
  logic unit_valid, unit_ready, more, room;
  logic [CountBits:0] left_q;  // units to come, minus 1: negative when there are none
  assign more = !left_q[CountBits];
  assign unit_ready = room & more;

  generate
    if (UnitWidth == StreamWidth) begin : g_same
      assign unit = in_data_i;
      assign unit_valid = in_valid_i;
      assign in_ready_o = unit_ready;
    end else begin : g_beats
      width_converter #(
          .InWidth (StreamWidth),
          .OutWidth(UnitWidth)
      ) u_beats (
          .clk_i,
          .rst_ni,
          .in_data_i,
          .in_valid_i,
          .in_ready_o,
          .out_data_o(unit),
          .out_valid_o(unit_valid),
          .out_ready_i(unit_ready)
      );
    end
  endgenerate

  logic [DataWidth-1:0] word;
  logic [DataWidth/8-1:0] end_strobe;  // of the last word
  logic word_valid, word_ready;
  generate
    if (PerWord == 1) begin : g_whole
      logic unused_start;
      assign unused_start = start_i;
      assign word = unit;
      assign word_valid = unit_valid & more;
      assign room = word_ready;
      assign end_strobe = '1;
    end else begin : g_parts
      logic [FillBits-1:0] pad_q, filled_q;  // units without data to come; units with data in the last word, 0 for all
      always_ff @(posedge clk_i) begin
        if (!rst_ni) pad_q <= '0;
        else if (go_i) pad_q <= ~units_i[FillBits-1:0] + 1'b1;
        else if (!more && pad_q != '0 && room) pad_q <= pad_q - 1'b1;
        if (go_i) filled_q <= units_i[FillBits-1:0];
      end
      logic [PerWord-1:0] used;
      assign used = (filled_q == '0) ? '1 : ~({PerWord{1'b1}} << filled_q);
      for (genvar b = 0; b < DataWidth / 8; b = b + 1) begin : g_strobe
        assign end_strobe[b] = used[b/(UnitWidth/8)];
      end
      width_converter #(
          .InWidth (UnitWidth),
          .OutWidth(DataWidth)
      ) u_words (
          .clk_i,
          .rst_ni(rst_ni & !start_i),
          .in_data_i(more ? unit : '0),
          .in_valid_i(more ? unit_valid : pad_q != '0),
          .in_ready_o(room),
          .out_data_o(word),
          .out_valid_o(word_valid),
          .out_ready_i(word_ready)
      );
    end
  endgenerate

  // Words in the buffer that belong to no burst yet; the burst that is being sent.
  logic [HeldBits-1:0] held_q;
  logic [AddrWidth-1:0] address_q;
  logic [7:0] length_q, beats_q, pending_q;  // ..., beats after the present one, bursts that are not confirmed
  logic ask_q, send_q, end_q, buffered, sent, begins;
  assign m_axi_awaddr = address_q;
  assign m_axi_awlen = length_q;
  assign m_axi_awvalid = ask_q;
  assign m_axi_wvalid = buffered & send_q;
  assign m_axi_wlast = beats_q == '0;
  assign m_axi_wstrb = (end_q && m_axi_wlast) ? end_strobe : '1;
  assign m_axi_bready = 1'b1;
  assign sent = m_axi_wvalid & m_axi_wready;
  assign burst_ready_o = (!ask_q || m_axi_awready) && (!send_q || (sent && m_axi_wlast)) && pending_q != '1
      && 32'(held_q) >= 32'(burst_beats_i);
  assign begins = burst_valid_i & burst_ready_o;

  streaming_fifo #(
      .Width(DataWidth),
      .Depth(Depth)
  ) u_buffer (
      .clk_i,
      .rst_ni,
      .in_data_i(word),
      .in_valid_i(word_valid),
      .in_ready_o(word_ready),
      .out_data_o(m_axi_wdata),
      .out_valid_o(buffered),
      .out_ready_i(m_axi_wready & send_q)
  );

  logic active_q, ended_q, failed_q;  // ended: the last burst has begun, or there is none
  assign done_o = active_q && ended_q && !ask_q && !send_q && pending_q == '0;
  assign failed_o = failed_q;
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      {ask_q, send_q, active_q, ended_q, failed_q} <= '0;
      held_q <= '0;
      pending_q <= '0;
      left_q <= '1;
    end else begin
      if (begins) ask_q <= 1'b1;
      else if (m_axi_awready) ask_q <= 1'b0;
      if (begins) send_q <= 1'b1;
      else if (sent && m_axi_wlast) send_q <= 1'b0;
      held_q <= held_q + HeldBits'(word_valid & word_ready) - (begins ? HeldBits'(burst_beats_i) : '0);
      pending_q <= pending_q + 8'(begins) - 8'(m_axi_bvalid);
      failed_q <= m_axi_bvalid && m_axi_bresp != 2'b00;
      if (go_i) active_q <= 1'b1;
      else if (done_o) active_q <= 1'b0;
      if (go_i) ended_q <= units_i == '0;
      else if (begins) ended_q <= burst_last_i;
      if (go_i) left_q <= {1'b0, units_i} - 1'b1;
      else if (unit_valid && unit_ready) left_q <= left_q - 1'b1;
    end
    if (begins) begin
      address_q <= burst_address_i;
      length_q <= 8'(burst_beats_i - 9'd1);
      beats_q <= 8'(burst_beats_i - 9'd1);
      end_q <= burst_last_i;
    end else if (sent) begin
      beats_q <= beats_q - 1'b1;
    end
  end
endmodule
