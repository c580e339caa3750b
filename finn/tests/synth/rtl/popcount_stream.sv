// Streaming design for the tests: a queue, then the number of ones of each 32-bit beat as one byte.
module popcount_stream (
  input  logic        ap_clk,
  input  logic        ap_rst_n,
  input  logic [31:0] s_axis_0_tdata,
  input  logic        s_axis_0_tvalid,
  output logic        s_axis_0_tready,
  output logic [7:0]  m_axis_0_tdata,
  output logic        m_axis_0_tvalid,
  input  logic        m_axis_0_tready
);
  logic [31:0] queued_data;
  logic        queued_valid, queued_ready;

  word_queue #(.Width(32), .Depth(16)) u_queue (
    .clk_i(ap_clk), .rst_ni(ap_rst_n),
    .in_data_i(s_axis_0_tdata), .in_valid_i(s_axis_0_tvalid), .in_ready_o(s_axis_0_tready),
    .out_data_o(queued_data), .out_valid_o(queued_valid), .out_ready_i(queued_ready)
  );
  bit_counter #(.Width(32)) u_count (
    .clk_i(ap_clk), .rst_ni(ap_rst_n),
    .in_data_i(queued_data), .in_valid_i(queued_valid), .in_ready_o(queued_ready),
    .out_data_o(m_axis_0_tdata), .out_valid_o(m_axis_0_tvalid), .out_ready_i(m_axis_0_tready)
  );
endmodule
