// Cuts a run of a DMA engine into bursts.
//
// A run is `repetitions_i` times Units units; PerWord of them fill a word of the bus (the last word may be partly full).
// 34 cycles after start_i, go_o says for one cycle that units_o, the sum, is known. The bursts follow, at best one every
// second cycle: each ends where a multiple of Burst words ends in memory, so none crosses a border of 4 KiB.
module iodma_bursts #(
    parameter int unsigned AddrWidth = 64,
    parameter int unsigned WordBytes = 8,
    parameter int unsigned Burst = 16,
    parameter int unsigned Units = 8,
    parameter int unsigned PerWord = 1,  // a power of two
    parameter int unsigned CountBits = 37  // 33 + $clog2(Units + PerWord)
) (
    input  logic                 clk_i,
    input  logic                 rst_ni,
    input  logic                 start_i,
    input  logic [AddrWidth-1:0] address_i,  // its bits below a word are ignored
    input  logic [         31:0] repetitions_i,
    output logic                 go_o,
    output logic [CountBits-1:0] units_o,
    output logic                 burst_valid_o,
    input  logic                 burst_ready_i,
    output logic [AddrWidth-1:0] burst_address_o,
    output logic [          8:0] burst_beats_o,
    output logic                 burst_last_o
);
  localparam int unsigned WordBits = $clog2(WordBytes);
  localparam int unsigned BurstBits = $clog2(Burst);
  localparam int unsigned FillBits = $clog2(PerWord);
  typedef enum logic [2:0] {
    Idle,
    Sum,
    Round,
    Cut,
    Offer
  } state_e;

  state_e state_q;
  logic [31:0] repetitions_q;
  logic [4:0] bit_q;
  logic [CountBits-1:0] units_q, words_q;
  logic [AddrWidth-WordBits-1:0] word_q;  // address, in words
  logic [BurstBits:0] beats_q, room;
  logic last_q, go_q, short;

  assign go_o = go_q;
  assign units_o = units_q;
  assign burst_valid_o = state_q == Offer;
  assign burst_beats_o = 9'(beats_q);
  assign burst_last_o = last_q;
  generate
    if (WordBits == 0) begin : g_byte
      assign burst_address_o = word_q;
    end else begin : g_word
      logic unused_low;
      assign unused_low = ^address_i[WordBits-1:0];
      assign burst_address_o = {word_q, {WordBits{1'b0}}};
    end
  endgenerate

  assign room = (BurstBits + 1)'(Burst) - {1'b0, word_q[BurstBits-1:0]};  // up to the border
  assign short = words_q[CountBits-1:BurstBits+1] == '0 && words_q[BurstBits:0] <= room;

  always_ff @(posedge clk_i) begin
    go_q <= 1'b0;
    if (!rst_ni) begin
      state_q <= Idle;
    end else begin
      case (state_q)
        Sum: begin  // multiplies, a bit per cycle: a multiplier would be the slowest path of the engine
          units_q <= (units_q << 1) + (repetitions_q[31] ? CountBits'(Units) : '0);
          repetitions_q <= repetitions_q << 1;
          bit_q <= bit_q + 1'b1;
          if (bit_q == '1) state_q <= Round;
        end
        Round: begin
          words_q <= (units_q + CountBits'(PerWord - 1)) >> FillBits;
          go_q <= 1'b1;
          state_q <= Cut;
        end
        Cut: begin
          beats_q <= short ? words_q[BurstBits:0] : room;
          last_q  <= short;
          state_q <= (words_q == '0) ? Idle : Offer;
        end
        Offer: begin
          if (burst_ready_i) begin
            word_q  <= word_q + (AddrWidth - WordBits)'(beats_q);
            words_q <= words_q - CountBits'(beats_q);
            state_q <= last_q ? Idle : Cut;
          end
        end
        default: begin
          repetitions_q <= repetitions_i;
          bit_q <= '0;
          units_q <= '0;
          word_q <= address_i[AddrWidth-1:WordBits];
          if (start_i) state_q <= Sum;
        end
      endcase
    end
  end
endmodule
