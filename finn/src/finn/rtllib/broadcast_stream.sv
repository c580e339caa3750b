// The beats of a stream in the order of a broadcast: Beats of them in turn, each for Hold steps, and that Repeats times;
// then the next Beats.
//
// avail_o: the next beat of the order is there, a function of registers. step_i uses it: data_o holds it in the next
// cycle. A stream_register if nothing is repeated (a beat can be used one cycle after it was taken), else a replay_buffer
// of Depth beats (two cycles).
module broadcast_stream #(
    parameter int unsigned Width = 8,
    parameter int unsigned Repeats = 3,
    parameter int unsigned Beats = 2,
    parameter int unsigned Hold = 2,
    /* verilator lint_off UNUSEDPARAM */  // for replay_buffer only
    parameter int unsigned Depth = 4
    /* verilator lint_on UNUSEDPARAM */
) (
    input  logic             clk_i,
    input  logic             rst_ni,
    input  logic [Width-1:0] in_data_i,
    input  logic             in_valid_i,
    output logic             in_ready_o,
    output logic             avail_o,
    input  logic             step_i,
    output logic [Width-1:0] data_o
);
  logic last, unused_chosen;
  strided_axis #(
      .Size(Hold),
      .First(0),
      .Stride(1),
      .Count(Hold)
  ) u_hold (
      .clk_i,
      .rst_ni,
      .step_i,
      .chosen_o(unused_chosen),
      .last_o(last)
  );

  generate
    if (Repeats > 1) begin : g_repeat
      replay_buffer #(
          .Width(Width),
          .Beats(Beats),
          .Repeats(Repeats),
          .Depth(Depth)
      ) u_buffer (
          .clk_i,
          .rst_ni,
          .in_data_i,
          .in_valid_i,
          .in_ready_o,
          .avail_o,
          .next_i(step_i & last),
          .data_o
      );
    end else begin : g_once
      logic [Width-1:0] front;
      stream_register #(
          .Width(Width)
      ) u_register (
          .clk_i,
          .rst_ni,
          .in_data_i,
          .in_valid_i,
          .in_ready_o,
          .out_data_o(front),
          .out_valid_o(avail_o),
          .out_ready_i(step_i & last)
      );
      always_ff @(posedge clk_i) data_o <= front;
      if (Beats != 1) begin : g_bad_beats
        $error("broadcast_stream: without repetition Beats is 1");
      end
    end
  endgenerate
endmodule
