// The words of a constant memory in the order of a broadcast: Beats of them in turn, each for Hold steps, and that
// Repeats times; then the next Beats, Groups times in all, and from the first again.
//
// step_i uses the next word of the order: data_o holds it in the next cycle. The words, Groups * Beats of them, are in
// the file <File>_constants.dat; a single one is a constant.
module broadcast_constant #(
    parameter int unsigned Width = 8,
    parameter int unsigned Groups = 2,
    parameter int unsigned Repeats = 3,
    parameter int unsigned Beats = 2,
    parameter int unsigned Hold = 2,
    parameter RamStyle = "auto",
    parameter File = ""
) (
    input  logic             clk_i,
    input  logic             rst_ni,
    input  logic             step_i,
    output logic [Width-1:0] data_o
);
  localparam int unsigned Words = Groups * Beats;
  localparam int unsigned AddrBits = (Words > 1) ? $clog2(Words) : 1;

  logic [AddrBits-1:0] addr;
  generate
    if (Words > 1) begin : g_order
      logic [AddrBits-1:0] addr_q, next;
      logic last_hold, unused_hold;
      assign addr = addr_q;
      assign next = (addr_q == AddrBits'(Words - 1)) ? '0 : addr_q + 1'b1;
      strided_axis #(
          .Size(Hold),
          .First(0),
          .Stride(1),
          .Count(Hold)
      ) u_hold (
          .clk_i,
          .rst_ni,
          .step_i,
          .chosen_o(unused_hold),
          .last_o(last_hold)
      );

      if (Repeats > 1 && Groups > 1) begin : g_groups
        logic [AddrBits-1:0] base_q;  // the first word of the present group
        logic last_beat, last_repeat, unused_beat, unused_repeat;
        strided_axis #(
            .Size(Beats),
            .First(0),
            .Stride(1),
            .Count(Beats)
        ) u_beat (
            .clk_i,
            .rst_ni,
            .step_i(step_i & last_hold),
            .chosen_o(unused_beat),
            .last_o(last_beat)
        );
        strided_axis #(
            .Size(Repeats),
            .First(0),
            .Stride(1),
            .Count(Repeats)
        ) u_repeat (
            .clk_i,
            .rst_ni,
            .step_i(step_i & last_hold & last_beat),
            .chosen_o(unused_repeat),
            .last_o(last_repeat)
        );
        always_ff @(posedge clk_i) begin
          if (!rst_ni) begin
            addr_q <= '0;
            base_q <= '0;
          end else if (step_i && last_hold) begin
            addr_q <= (last_beat && !last_repeat) ? base_q : next;
            if (last_beat && last_repeat) base_q <= next;
          end
        end
      end else begin : g_turn  // a lone group is repeated with the frames
        always_ff @(posedge clk_i)
          if (!rst_ni) addr_q <= '0;
          else if (step_i && last_hold) addr_q <= next;
      end
    end else begin : g_one
      logic unused_ports;
      assign unused_ports = rst_ni ^ step_i;
      assign addr = '0;
    end
  endgenerate

  constant_memory #(
      .Width(Width),
      .Depth(Words),
      .RamStyle(RamStyle),
      .File((File == "") ? "" : {File, "_constants.dat"})
  ) u_memory (
      .clk_i,
      .addr_i(addr),
      .data_o
  );
endmodule
