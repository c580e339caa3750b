// Gives each vector of Beats beats Repeats times to a compute unit, while the next vector is already coming in.
//
// A ring memory of Depth >= Beats + 1 beats; a beat is freed when it is read for the last time. Depth = 2 * Beats takes a
// whole vector ahead, so that a slower or bursty producer never stalls the reader.
// `avail_o` says that the next beat of the sequence can be read; `next_i` reads it: data_o holds it one cycle later.
// `in_ready_o` and `avail_o` are functions of registers only.
module replay_buffer #(
    parameter int unsigned Width = 8,
    parameter int unsigned Beats = 4,
    parameter int unsigned Repeats = 2,
    parameter int unsigned Depth = 8
) (
    input  logic             clk_i,
    input  logic             rst_ni,
    input  logic [Width-1:0] in_data_i,
    input  logic             in_valid_i,
    output logic             in_ready_o,
    output logic             avail_o,
    input  logic             next_i,
    output logic [Width-1:0] data_o
);
  localparam int unsigned AddrBits = (Depth > 1) ? $clog2(Depth) : 1;
  localparam int unsigned CountBits = $clog2(Depth + 1);
  localparam int unsigned BeatBits = (Beats > 1) ? $clog2(Beats) : 1;
  localparam int unsigned RepeatBits = (Repeats > 1) ? $clog2(Repeats) : 1;

  generate
    if (Depth < Beats || Depth < 2 || Repeats < 2) begin : g_bad_depth
      $error("replay_buffer: Depth has to hold a vector and 2 beats; without repetition there is nothing to buffer");
    end
  endgenerate

  logic [AddrBits-1:0] write_q, read_q, base_q, read_next;
  logic [CountBits-1:0] held_q, held_d, fresh_q, fresh_d;  // occupied; written but never read
  logic [BeatBits-1:0] beat_q;
  logic [RepeatBits-1:0] repeat_q;
  logic first_q, last_q, ready_q, avail_q, write, written_q, last_beat;

  assign write = in_valid_i & ready_q;
  assign in_ready_o = ready_q;
  assign avail_o = avail_q;
  assign last_beat = beat_q == BeatBits'(Beats - 1);
  assign read_next = (read_q == AddrBits'(Depth - 1)) ? '0 : read_q + 1'b1;

  logic first_d;  // the beat after this one belongs to the first pass over its vector
  always_comb begin
    first_d = first_q;
    if (next_i && last_beat) first_d = last_q;
    held_d = held_q;
    if (write && !(next_i && last_q)) held_d = held_q + 1'b1;
    if (!write && next_i && last_q) held_d = held_q - 1'b1;
    fresh_d = fresh_q;
    if (written_q && !(next_i && first_q)) fresh_d = fresh_q + 1'b1;
    if (!written_q && next_i && first_q) fresh_d = fresh_q - 1'b1;
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      write_q <= '0;
      read_q <= '0;
      base_q <= '0;
      held_q <= '0;
      fresh_q <= '0;
      beat_q <= '0;
      repeat_q <= '0;
      first_q <= 1'b1;
      last_q <= (Repeats == 1);
      ready_q <= 1'b0;
      avail_q <= 1'b0;
      written_q <= 1'b0;
    end else begin
      written_q <= write;
      held_q <= held_d;
      fresh_q <= fresh_d;
      ready_q <= held_d != CountBits'(Depth);
      avail_q <= !first_d || fresh_d != '0;
      first_q <= first_d;
      if (write) write_q <= (write_q == AddrBits'(Depth - 1)) ? '0 : write_q + 1'b1;
      if (next_i) begin
        beat_q <= last_beat ? '0 : beat_q + 1'b1;
        read_q <= read_next;
        if (last_beat) begin
          repeat_q <= last_q ? '0 : repeat_q + 1'b1;
          last_q <= last_q ? (Repeats == 1) : repeat_q == RepeatBits'(Repeats - 2);
          if (last_q) base_q <= read_next;
          else read_q <= base_q;
        end
      end
    end
  end

  stream_memory #(
      .Width(Width),
      .Depth(Depth)
  ) u_memory (
      .clk_i,
      .write_i(write),
      .write_addr_i(write_q),
      .write_data_i(in_data_i),
      .read_addr_i(read_q),
      .read_data_o(data_o)
  );
endmodule
