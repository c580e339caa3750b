// Vector-vector-activation unit (depthwise convolution): y[c] = sum over k of x[k, c] * w[k, c] for each window x of Window
// positions of Channels channels, then (Stages > 0) the number of thresholds reached plus Bias.
//
// Each cycle takes SIMD positions of PE channels: a window takes (Channels / PE) * (Window / SIMD) cycles, one per input
// beat. All beats of PE channels come together; a beat carries SIMD positions, position 0 in the least significant bits,
// of PE channels each. Output beat n carries channels n * PE .. + PE - 1.
// Weights: see matrix_unit; one word per beat of a window. As a stream (External) they are the second input; if they can
// be written (RequestBits > 0), the second input takes requests, and the second output gives the replies.
// XBipolar / WBipolar: the bit stands for -1 or +1.
// No path from an input to an output port is combinational.
module vvau #(
    parameter int unsigned Channels = 8,
    parameter int unsigned Window = 9,
    parameter int unsigned PE = 1,
    parameter int unsigned SIMD = 1,
    parameter int unsigned XBits = 1,
    parameter bit XSigned = 0,
    parameter bit XBipolar = 0,
    parameter int unsigned WBits = 1,
    parameter bit WSigned = 0,
    parameter bit WBipolar = 0,
    parameter int unsigned AccBits = 8,
    parameter bit AccSigned = 1,
    parameter int unsigned Chunk = 8,
    parameter int unsigned CountLevels = 0,
    parameter int unsigned SumLevels = 0,
    parameter int unsigned Latency = 5,  // cycles from the last beat of PE channels to the dot products
    parameter int unsigned OutDepth = 16,
    parameter int unsigned Stages = 0,
    parameter int unsigned ThresholdBits = 8,
    parameter int unsigned OutBits = 8,
    parameter int Bias = 0,
    parameter bit External = 0,
    parameter int unsigned RequestBits = 0,
    parameter RamStyle = "auto",
    parameter File = ""
) (
    input logic clk_i,
    input logic rst_ni,
    input logic [PE*SIMD*XBits+(External ? PE*SIMD*WBits : RequestBits)-1:0] in_data_i,
    input logic [((External || RequestBits > 0) ? 1 : 0):0] in_valid_i,
    output logic [((External || RequestBits > 0) ? 1 : 0):0] in_ready_o,
    output logic [PE*OutBits+((RequestBits > 0) ? 32 : 0)-1:0] out_data_o,
    output logic [((RequestBits > 0) ? 1 : 0):0] out_valid_o,
    input logic [((RequestBits > 0) ? 1 : 0):0] out_ready_i
);
  generate
    if (Channels % PE != 0 || Window % SIMD != 0) begin : g_bad_folding
      $error("vvau: PE has to divide Channels, and SIMD has to divide Window");
    end
  endgenerate

  logic ready, room, unused_issue, ready_q;  // keeps ready low in reset
  logic [PE*SIMD*XBits-1:0] x;
  always_ff @(posedge clk_i) ready_q <= rst_ni;
  assign ready = ready_q & room;
  generate
    for (genvar p = 0; p < PE; p = p + 1) begin : g_row
      for (genvar i = 0; i < SIMD; i = i + 1) begin : g_lane
        always_ff @(posedge clk_i) x[(p*SIMD+i)*XBits+:XBits] <= in_data_i[(i*PE+p)*XBits+:XBits];
      end
    end
  endgenerate

  matrix_unit #(
      .SF(Window / SIMD),
      .NF(Channels / PE),
      .PE(PE),
      .SIMD(SIMD),
      .Rows(PE),
      .XBits(XBits),
      .XSigned(XSigned),
      .XBipolar(XBipolar),
      .WBits(WBits),
      .WSigned(WSigned),
      .WBipolar(WBipolar),
      .AccBits(AccBits),
      .AccSigned(AccSigned),
      .Chunk(Chunk),
      .CountLevels(CountLevels),
      .SumLevels(SumLevels),
      .Latency(Latency),
      .OutDepth(OutDepth),
      .Stages(Stages),
      .ThresholdBits(ThresholdBits),
      .OutBits(OutBits),
      .Bias(Bias),
      .External(External),
      .RequestBits(RequestBits),
      .RamStyle(RamStyle),
      .File(File)
  ) u_unit (
      .clk_i,
      .rst_ni,
      .avail_i(in_valid_i[0] & ready_q),
      .ready_i(ready),
      .room_o(room),
      .issue_o(unused_issue),
      .x_i(x),
      .in_data_i,
      .in_valid_i,
      .in_ready_o,
      .out_data_o,
      .out_valid_o,
      .out_ready_i
  );
endmodule
