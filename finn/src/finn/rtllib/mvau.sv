// Matrix-vector-activation unit: y = W^T x for each input vector x of MW elements, MH results, then (Stages > 0) the
// number of thresholds reached plus Bias.
//
// Each cycle takes SIMD inputs for PE outputs: a vector takes (MW / SIMD) * (MH / PE) cycles, without a pause between
// vectors. Input beat s carries elements s * SIMD .. + SIMD - 1, element 0 in the least significant bits; output beat n
// carries results n * PE .. + PE - 1.
// Weights: see matrix_unit; one word per (n, s), s fastest. As a stream (External) they are the second input; if they can
// be written (RequestBits > 0), the second input takes requests, and the second output gives the replies.
// XBipolar / WBipolar: the bit stands for -1 or +1.
// No path from an input to an output port is combinational.
module mvau #(
    parameter int unsigned MW = 8,
    parameter int unsigned MH = 8,
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
    parameter int unsigned Latency = 5,  // cycles from the read of the last beat to the dot product
    parameter int unsigned OutDepth = 16,
    parameter int unsigned InDepth = 16,
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
    input logic [SIMD*XBits+(External ? PE*SIMD*WBits : RequestBits)-1:0] in_data_i,
    input logic [((External || RequestBits > 0) ? 1 : 0):0] in_valid_i,
    output logic [((External || RequestBits > 0) ? 1 : 0):0] in_ready_o,
    output logic [PE*OutBits+((RequestBits > 0) ? 32 : 0)-1:0] out_data_o,
    output logic [((RequestBits > 0) ? 1 : 0):0] out_valid_o,
    input logic [((RequestBits > 0) ? 1 : 0):0] out_ready_i
);
  localparam int unsigned SF = MW / SIMD;
  localparam int unsigned NF = MH / PE;

  generate
    if (MW % SIMD != 0 || MH % PE != 0) begin : g_bad_folding
      $error("mvau: SIMD has to divide MW, and PE has to divide MH");
    end
  endgenerate

  logic avail, ready, room, issue;
  logic [SIMD*XBits-1:0] x;
  generate
    if (NF > 1) begin : g_replay
      logic unused_room;
      assign unused_room = room;
      replay_buffer #(
          .Width(SIMD * XBits),
          .Beats(SF),
          .Repeats(NF),
          .Depth(InDepth)
      ) u_replay (
          .clk_i,
          .rst_ni,
          .in_data_i(in_data_i[SIMD*XBits-1:0]),
          .in_valid_i(in_valid_i[0]),
          .in_ready_o(ready),
          .avail_o(avail),
          .next_i(issue),
          .data_o(x)
      );
    end else begin : g_direct
      logic ready_q;  // keeps ready low in reset
      logic unused_issue;
      assign unused_issue = issue;
      always_ff @(posedge clk_i) ready_q <= rst_ni;
      assign avail = in_valid_i[0] & ready_q;
      assign ready = ready_q & room;
      always_ff @(posedge clk_i) x <= in_data_i[SIMD*XBits-1:0];
    end
  endgenerate

  matrix_unit #(
      .SF(SF),
      .NF(NF),
      .PE(PE),
      .SIMD(SIMD),
      .Rows(1),
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
      .avail_i(avail),
      .ready_i(ready),
      .room_o(room),
      .issue_o(issue),
      .x_i(x),
      .in_data_i,
      .in_valid_i,
      .in_ready_o,
      .out_data_o,
      .out_valid_o,
      .out_ready_i
  );
endmodule
