// Reads the bursts of a run from memory and sends them as a stream.
//
// A burst is asked for when the buffer has room for all of it, so the bus never waits for the stream, and Bursts of them
// are outstanding. Of the last word only the units that belong to the run are sent.
module iodma_reader #(
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
    output logic                   done_o,
    output logic                   failed_o,
    output logic [  AddrWidth-1:0] m_axi_araddr,
    output logic [            7:0] m_axi_arlen,
    output logic                   m_axi_arvalid,
    input  logic                   m_axi_arready,
    input  logic [  DataWidth-1:0] m_axi_rdata,
    input  logic [            1:0] m_axi_rresp,
    input  logic                   m_axi_rvalid,
    output logic                   m_axi_rready,
    output logic [StreamWidth-1:0] out_data_o,
    output logic                   out_valid_o,
    input  logic                   out_ready_i
);
  localparam int unsigned Depth = Burst * Bursts;
  localparam int unsigned RoomBits = $clog2(Depth + 1);

  logic [AddrWidth-1:0] address_q;
  logic [7:0] length_q;
  logic ask_q, pop;
  logic [RoomBits-1:0] room_q;  // places that no burst has been promised
  assign m_axi_araddr = address_q;
  assign m_axi_arlen = length_q;
  assign m_axi_arvalid = ask_q;
  assign burst_ready_o = !ask_q && 32'(room_q) >= 32'(burst_beats_i);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      ask_q  <= 1'b0;
      room_q <= RoomBits'(Depth);
    end else begin
      if (burst_valid_i && burst_ready_o) ask_q <= 1'b1;
      else if (m_axi_arready) ask_q <= 1'b0;
      room_q <= room_q + RoomBits'(pop) - ((burst_valid_i && burst_ready_o) ? RoomBits'(burst_beats_i) : '0);
    end
    if (!ask_q) begin
      address_q <= burst_address_i;
      length_q  <= 8'(burst_beats_i - 9'd1);
    end
  end

  logic [DataWidth-1:0] word;
  logic word_valid, word_ready;
  assign pop = word_valid & word_ready;
  streaming_fifo #(
      .Width(DataWidth),
      .Depth(Depth)
  ) u_words (
      .clk_i,
      .rst_ni,
      .in_data_i(m_axi_rdata),
      .in_valid_i(m_axi_rvalid),
      .in_ready_o(m_axi_rready),
      .out_data_o(word),
      .out_valid_o(word_valid),
      .out_ready_i(word_ready)
  );

  logic [UnitWidth-1:0] unit;
  logic unit_valid, unit_ready, taken, active_q, failed_q;
  logic [CountBits:0] left_q;  // units to come, minus 1: negative when there are none
  assign taken = unit_valid && unit_ready && !left_q[CountBits];
  assign done_o = active_q & left_q[CountBits];
  assign failed_o = failed_q;
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      active_q <= 1'b0;
      failed_q <= 1'b0;
      left_q   <= '1;
    end else begin
      failed_q <= m_axi_rvalid && m_axi_rready && m_axi_rresp != 2'b00;
      if (go_i) active_q <= 1'b1;
      else if (done_o) active_q <= 1'b0;
      if (go_i) left_q <= {1'b0, units_i} - 1'b1;
      else if (taken) left_q <= left_q - 1'b1;
    end
  end

  generate
    if (UnitWidth == DataWidth) begin : g_whole
      logic unused_start;
      assign unused_start = start_i;
      assign unit = word;
      assign unit_valid = word_valid;
      assign word_ready = unit_ready && !left_q[CountBits];
    end else begin : g_parts  // what is left of the last word of a run goes when the next one starts
      width_converter #(
          .InWidth (DataWidth),
          .OutWidth(UnitWidth)
      ) u_units (
          .clk_i,
          .rst_ni(rst_ni & !start_i),
          .in_data_i(word),
          .in_valid_i(word_valid),
          .in_ready_o(word_ready),
          .out_data_o(unit),
          .out_valid_o(unit_valid),
          .out_ready_i(unit_ready & !left_q[CountBits])
      );
    end
    if (UnitWidth == StreamWidth) begin : g_same
      assign out_data_o  = unit;
      assign out_valid_o = unit_valid & !left_q[CountBits];
      assign unit_ready  = out_ready_i;
    end else begin : g_beats
      width_converter #(
          .InWidth (UnitWidth),
          .OutWidth(StreamWidth)
      ) u_beats (
          .clk_i,
          .rst_ni,
          .in_data_i(unit),
          .in_valid_i(taken),
          .in_ready_o(unit_ready),
          .out_data_o,
          .out_valid_o,
          .out_ready_i
      );
    end
  endgenerate
endmodule
