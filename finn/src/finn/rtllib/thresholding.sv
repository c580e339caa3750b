// Thresholding layer: per channel, the number of thresholds that the input has reached, plus Bias. See threshold_search.
//
// One beat of PE channels per cycle; Folds = channels / PE beats per vector.
// If thresholds can be written (RequestBits > 0), the second input takes requests, and the second output gives the replies,
// see line_access; a line is a threshold.
module thresholding #(
    parameter int unsigned PE = 1,
    parameter int unsigned Folds = 1,
    parameter int unsigned InBits = 8,
    parameter bit InSigned = 1,
    parameter int unsigned ThresholdBits = 8,
    parameter int unsigned Stages = 1,
    parameter int unsigned OutBits = 1,
    parameter int Bias = 0,
    parameter int unsigned OutDepth = 8,
    parameter int unsigned RequestBits = 0,
    parameter RamStyle = "auto",
    parameter File = ""
) (
    input logic clk_i,
    input logic rst_ni,
    input logic [PE*InBits+RequestBits-1:0] in_data_i,
    input logic [((RequestBits > 0) ? 1 : 0):0] in_valid_i,
    output logic [((RequestBits > 0) ? 1 : 0):0] in_ready_o,
    output logic [PE*OutBits+((RequestBits > 0) ? 32 : 0)-1:0] out_data_o,
    output logic [((RequestBits > 0) ? 1 : 0):0] out_valid_o,
    input logic [((RequestBits > 0) ? 1 : 0):0] out_ready_i
);
  localparam int unsigned LineBits = $clog2(Folds) + $clog2(PE) + Stages;
  logic credit, take, valid_q, y_valid;
  logic [PE*InBits-1:0] x_q;
  logic [PE*OutBits-1:0] y;

  assign in_ready_o[0] = credit;
  assign take = in_valid_i[0] & credit;

  always_ff @(posedge clk_i) begin
    valid_q <= rst_ni & take;
    x_q <= in_data_i[PE*InBits-1:0];
  end

  logic write;
  logic [LineBits-1:0] line;
  logic [ThresholdBits-1:0] written, read;
  generate
    if (RequestBits > 0) begin : g_access
      line_access #(
          .Width(ThresholdBits),
          .LineBits(LineBits),
          .RequestBits(RequestBits),
          .Delay(2)
      ) u_access (
          .clk_i,
          .rst_ni,
          .request_data_i (in_data_i[PE*InBits+:RequestBits]),
          .request_valid_i(in_valid_i[1]),
          .request_ready_o(in_ready_o[1]),
          .reply_data_o   (out_data_o[PE*OutBits+:32]),
          .reply_valid_o  (out_valid_o[1]),
          .reply_ready_i  (out_ready_i[1]),
          .line_write_o   (write),
          .line_addr_o    (line),
          .line_data_o    (written),
          .line_data_i    (read)
      );
    end else begin : g_constant
      logic unused_read;
      assign unused_read = ^read;
      assign write = 1'b0;
      assign line = '0;
      assign written = '0;
    end
  endgenerate

  threshold_search #(
      .PE(PE),
      .Folds(Folds),
      .InBits(InBits),
      .InSigned(InSigned),
      .ThresholdBits(ThresholdBits),
      .Stages(Stages),
      .OutBits(OutBits),
      .Bias(Bias),
      .Writable(RequestBits > 0),
      .RamStyle(RamStyle),
      .File(File)
  ) u_search (
      .clk_i,
      .rst_ni,
      .valid_i(valid_q),
      .x_i(x_q),
      .valid_o(y_valid),
      .y_o(y),
      .access_write_i(write),
      .access_addr_i(line),
      .access_data_i(written),
      .access_data_o(read)
  );

  credit_fifo #(
      .Width(PE * OutBits),
      .Depth(OutDepth)
  ) u_out (
      .clk_i,
      .rst_ni,
      .credit_o(credit),
      .take_i(take),
      .push_i(y_valid),
      .data_i(y),
      .out_data_o (out_data_o[PE*OutBits-1:0]),
      .out_valid_o(out_valid_o[0]),
      .out_ready_i(out_ready_i[0])
  );
endmodule
