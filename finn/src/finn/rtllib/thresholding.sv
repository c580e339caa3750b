// Thresholding layer: per channel, the number of thresholds that the input has reached, plus Bias. See threshold_search.
//
// One beat of PE channels per cycle; Folds = channels / PE beats per vector.
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
    parameter RamStyle = "auto",
    parameter File = ""
) (
    input  logic                  clk_i,
    input  logic                  rst_ni,
    input  logic [ PE*InBits-1:0] in_data_i,
    input  logic                  in_valid_i,
    output logic                  in_ready_o,
    output logic [PE*OutBits-1:0] out_data_o,
    output logic                  out_valid_o,
    input  logic                  out_ready_i
);
  logic credit, take, valid_q, y_valid;
  logic [PE*InBits-1:0] x_q;
  logic [PE*OutBits-1:0] y;

  assign in_ready_o = credit;
  assign take = in_valid_i & credit;

  always_ff @(posedge clk_i) begin
    valid_q <= rst_ni & take;
    x_q <= in_data_i;
  end

  threshold_search #(
      .PE(PE),
      .Folds(Folds),
      .InBits(InBits),
      .InSigned(InSigned),
      .ThresholdBits(ThresholdBits),
      .Stages(Stages),
      .OutBits(OutBits),
      .Bias(Bias),
      .RamStyle(RamStyle),
      .File(File)
  ) u_search (
      .clk_i,
      .rst_ni,
      .valid_i(valid_q),
      .x_i(x_q),
      .valid_o(y_valid),
      .y_o(y)
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
      .out_data_o,
      .out_valid_o,
      .out_ready_i
  );
endmodule
