// The word that came Delay words before: data_o is data_i as it was Delay cycles with advance_i ago.
//
// Few words are kept in registers, more in a ring memory; both behave as a chain of Delay registers that move when
// advance_i says so. Nothing is reset but the address: what comes out first has no meaning.
module delay_line #(
    parameter int unsigned Width = 8,
    parameter int unsigned Delay = 5,
    /* verilator lint_off UNUSEDPARAM */  // registers have no memory style
    parameter              RamStyle = "auto"
    /* verilator lint_on UNUSEDPARAM */
) (
    input  logic             clk_i,
    input  logic             rst_ni,
    input  logic             advance_i,
    input  logic [Width-1:0] data_i,
    output logic [Width-1:0] data_o
);
  localparam int unsigned MostRegisters = 3;

  generate
    if (Delay == 0) begin : g_bad_delay
      $error("delay_line: Delay has to be 1 or more");
    end
    if (Delay <= MostRegisters) begin : g_registers
      logic unused_reset;
      assign unused_reset = rst_ni;
      for (genvar k = 0; k < Delay; k = k + 1) begin : g_stage
        logic [Width-1:0] word_q;
        if (k == 0) begin : g_first
          always_ff @(posedge clk_i) if (advance_i) word_q <= data_i;
        end else begin : g_next
          always_ff @(posedge clk_i) if (advance_i) word_q <= g_stage[k-1].word_q;
        end
      end
      assign data_o = g_stage[Delay-1].word_q;
    end else begin : g_ring
      // The place that is written next holds the oldest word: it is read one cycle ahead.
      localparam int unsigned AddrBits = $clog2(Delay);
      logic [AddrBits-1:0] place_q, place_d;
      always_comb begin
        place_d = place_q;
        if (advance_i) place_d = (place_q == AddrBits'(Delay - 1)) ? '0 : place_q + 1'b1;
      end
      always_ff @(posedge clk_i) place_q <= rst_ni ? place_d : '0;
      stream_memory #(
          .Width(Width),
          .Depth(Delay),
          .RamStyle(RamStyle)
      ) u_memory (
          .clk_i,
          .write_i(advance_i),
          .write_addr_i(place_q),
          .write_data_i(data_i),
          .read_addr_i(place_d),
          .read_data_o(data_o)
      );
    end
  endgenerate
endmodule
