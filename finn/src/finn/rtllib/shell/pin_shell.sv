// Serial shell around a streaming accelerator: a wide AXI4-Stream design behind six registered pins.
//
// Use: (1) out-of-context place and route. A design with hundreds of stream bits has more ports than a device has pins;
// behind this shell every one of its input and output paths starts and ends in a register, so the timing report is the
// design's own. (2) The minimal top level of a board: a synchronous bit-serial link to a neighbouring device.
//
// Link, synchronous to clk_i, bits least significant first, whole beats only:
//   in    while si_ready_o is 1 the sender may begin a beat: InW bits on si_data_i, one in each cycle that has
//         si_valid_i = 1 (pauses between bits are allowed). si_ready_o only speaks about the first bit of a beat. It falls
//         2 cycles after that first bit and rises again when the accelerator has taken the beat. After reset, and after
//         each beat, wait for si_ready_o; InW >= 8 guarantees that its value is current when a beat has been sent.
//   out   a beat is OutW consecutive cycles with so_valid_o = 1, one bit on so_data_o in each. so_ready_i = 1 allows a
//         beat to begin; a beat that has begun is never interrupted. There is at least one cycle between two beats.
//
// Reset: rst_ni is asynchronous to clk_i (a button, or constant 1); it is synchronised, and after configuration the
// accelerator is held in reset for ResetStages cycles even if rst_ni is never 0 (needs registers that power up at 0).
//
// Latency: 2 cycles from a beat's last bit to m_axis_tvalid, 2 cycles from the accepted output beat to its first bit.
// It does not: change clock domains, detect or repair transmission errors, frame anything but the beat.
module pin_shell #(
  parameter int unsigned InW = 8,
  parameter int unsigned OutW = 8
) (
  input  logic            clk_i,
  input  logic            rst_ni,
  // pins of the serial link
  input  logic            si_data_i,
  input  logic            si_valid_i,
  output logic            si_ready_o,
  output logic            so_data_o,
  output logic            so_valid_o,
  input  logic            so_ready_i,
  // the accelerator
  output logic            ap_rst_no,
  output logic [InW-1:0]  m_axis_tdata,
  output logic            m_axis_tvalid,
  input  logic            m_axis_tready,
  input  logic [OutW-1:0] s_axis_tdata,
  input  logic            s_axis_tvalid,
  output logic            s_axis_tready
);
  localparam int unsigned ResetStages = 4;
  localparam int unsigned InCountW = $clog2(InW + 1);
  localparam int unsigned OutCountW = $clog2(OutW + 1);

  if (InW < 8 || OutW < 1) begin : gen_bad_widths
    $error("pin_shell: InW must be 8 or more and OutW 1 or more: pad the streams to whole bytes");
  end

  // Reset synchroniser; its power-up value holds the accelerator in reset after configuration.
  logic [ResetStages-1:0] rst_q;
  initial rst_q = '0;
  always_ff @(posedge clk_i) rst_q <= {rst_q[ResetStages-2:0], rst_ni};
  assign ap_rst_no = rst_q[ResetStages-1];

  // Registers at the pins.
  logic si_data_q, si_valid_q, so_ready_q;
  always_ff @(posedge clk_i) begin
    si_data_q <= si_data_i;
    if (!ap_rst_no) begin
      si_valid_q <= 1'b0;
      so_ready_q <= 1'b0;
    end else begin
      si_valid_q <= si_valid_i;
      so_ready_q <= so_ready_i;
    end
  end

  // Input: the shift register is the beat register; m_axis_tvalid stops it until the accelerator took the beat.
  logic [InCountW-1:0] in_count_q;
  logic                shift_in;
  assign shift_in = si_valid_q && !m_axis_tvalid;
  always_ff @(posedge clk_i) begin
    if (shift_in) m_axis_tdata <= {si_data_q, m_axis_tdata[InW-1:1]};
    if (!ap_rst_no) begin
      in_count_q    <= '0;
      m_axis_tvalid <= 1'b0;
      si_ready_o    <= 1'b0;
    end else begin
      si_ready_o <= (in_count_q == '0) && !si_valid_q && !m_axis_tvalid;
      if (shift_in) begin
        in_count_q    <= (in_count_q == InCountW'(InW - 1)) ? '0 : in_count_q + 1'b1;
        m_axis_tvalid <= (in_count_q == InCountW'(InW - 1));
      end else if (m_axis_tready) begin
        m_axis_tvalid <= 1'b0;
      end
    end
  end

  // Output: s_axis_tready is a register; the bits not yet sent are counted.
  logic [OutW-1:0]      out_data_q;
  logic [OutCountW-1:0] out_count_q;
  logic                 load, shift_out;
  assign load = s_axis_tvalid && s_axis_tready;
  assign shift_out = (out_count_q != '0) && (so_valid_o || so_ready_q);
  always_ff @(posedge clk_i) begin
    if (load) out_data_q <= s_axis_tdata;
    else if (shift_out) out_data_q <= out_data_q >> 1;
    so_data_o <= out_data_q[0];
    if (!ap_rst_no) begin
      out_count_q   <= '0;
      s_axis_tready <= 1'b0;
      so_valid_o    <= 1'b0;
    end else begin
      so_valid_o <= shift_out;
      if (load) out_count_q <= OutCountW'(OutW);
      else if (shift_out) out_count_q <= out_count_q - 1'b1;
      s_axis_tready <= !load && (out_count_q == '0);
    end
  end
endmodule
