// Marks the last of every Beats beats of an AXI4-Stream. The stream itself passes as it is, without delay.
module tlast_marker #(
    parameter int unsigned Width = 8,
    parameter int unsigned Beats = 4
) (
    input  logic             clk_i,
    input  logic             rst_ni,
    input  logic [Width-1:0] s_axis_tdata,
    input  logic             s_axis_tvalid,
    output logic             s_axis_tready,
    output logic [Width-1:0] m_axis_tdata,
    output logic             m_axis_tlast,
    output logic             m_axis_tvalid,
    input  logic             m_axis_tready
);
  localparam int unsigned CountBits = (Beats > 1) ? $clog2(Beats) : 1;
  logic [CountBits-1:0] left_q;  // beats of the frame behind the present one

  assign m_axis_tdata  = s_axis_tdata;
  assign m_axis_tvalid = s_axis_tvalid;
  assign s_axis_tready = m_axis_tready;
  assign m_axis_tlast  = left_q == '0;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) left_q <= CountBits'(Beats - 1);
    else if (s_axis_tvalid && m_axis_tready) left_q <= m_axis_tlast ? CountBits'(Beats - 1) : left_q - 1'b1;
  end
endmodule
