// Sliding windows over an image, one word per cycle, from a ring memory of Depth words.
//
// Words come in order; each window reads Inner0 * Inner1 * Inner2 of them, Inner0 fastest, and windows go row by row
// (Rows x Columns of them). A word can be read two cycles after it was taken. The last read of a window is its last
// word, Span - 1 words behind its first; then all words before the next window are freed, which may reach beyond what
// has come: such words are taken and dropped.
// Step<n>: words from the last read of the loops inside loop n to the next one. NextColumn, NextRow, NextFrame: words
// from a window's first word to that of the next window in its row, of the next row, and of the next frame.
// All addresses are additions of constants modulo Depth; no path from an input to an output port is combinational, and
// a read waits for a place in the output buffer, so that nothing behind it stalls.
module convolution_input_generator #(
    parameter int unsigned Width = 8,
    parameter int unsigned Depth = 32,
    parameter int unsigned Span = 19,
    parameter int unsigned Inner0 = 1,
    parameter int unsigned Inner1 = 3,
    parameter int unsigned Inner2 = 3,
    parameter int Step0 = 1,
    parameter int Step1 = 1,
    parameter int Step2 = 6,
    parameter int unsigned Columns = 6,
    parameter int unsigned Rows = 6,
    parameter int unsigned NextColumn = 1,
    parameter int unsigned NextRow = 3,
    parameter int unsigned NextFrame = 19,
    parameter int unsigned OutDepth = 8,
    parameter RamStyle = "auto"
) (
    input  logic             clk_i,
    input  logic             rst_ni,
    input  logic [Width-1:0] in_data_i,
    input  logic             in_valid_i,
    output logic             in_ready_o,
    output logic [Width-1:0] out_data_o,
    output logic             out_valid_o,
    input  logic             out_ready_i
);
  function automatic int unsigned larger(input int unsigned a, input int unsigned b);
    larger = (a > b) ? a : b;
  endfunction

  localparam int unsigned Furthest = larger(NextColumn, larger(NextRow, NextFrame));
  localparam int unsigned AddrBits = $clog2(Depth);
  localparam int unsigned LeadBits = $clog2(larger(Depth, Furthest) + 1) + 1;
  localparam int unsigned RoomBits = $clog2(Depth + Furthest + 1) + 1;

  generate
    if (Depth < Span || Depth < 2) begin : g_bad_depth
      $error("convolution_input_generator: Depth has to hold a window (Span) and 2 words");
    end
  endgenerate

  // The loops, innermost first: three in a window, then columns and rows of windows.
  localparam int unsigned Loops = 5;
  localparam bit [Loops*32-1:0] Sizes = {32'(Rows), 32'(Columns), 32'(Inner2), 32'(Inner1), 32'(Inner0)};
  logic step;  // a word is read
  logic [Loops-1:0] last;  // each loop is in its last turn
  generate
    for (genvar n = 0; n < Loops; n = n + 1) begin : g_loop
      localparam int unsigned Size = Sizes[n*32+:32];
      if (Size > 1) begin : g_count
        localparam int unsigned Bits = $clog2(Size);
        logic [Bits-1:0] turn_q;
        logic last_q, turn;
        if (n == 0) begin : g_innermost
          assign turn = step;
        end else begin : g_outer
          assign turn = step && (&last[n-1:0]);
        end
        always_ff @(posedge clk_i) begin
          if (!rst_ni) begin
            turn_q <= '0;
            last_q <= 1'b0;
          end else if (turn) begin
            turn_q <= last_q ? '0 : turn_q + 1'b1;
            last_q <= turn_q == Bits'(Size - 2);
          end
        end
        assign last[n] = last_q;
      end else begin : g_once
        assign last[n] = 1'b1;
      end
    end
  endgenerate

  // How far the next read is from this one, by the innermost loop that is not in its last turn; the same modulo Depth,
  // less Depth; and what is freed.
  localparam int Back = int'(Span) - 1;
  localparam bit [(Loops+1)*32-1:0] Steps = {
    32'(int'(NextFrame) - Back), 32'(int'(NextRow) - Back), 32'(int'(NextColumn) - Back), Step2, Step1, Step0
  };
  localparam bit [3*32-1:0] Nexts = {32'(NextFrame), 32'(NextRow), 32'(NextColumn)};

  localparam int Ring = Depth;  // signed; to Yosys 0.70 int'(Depth) is not, and then % is that of unsigned numbers
  function automatic int wrapped(input int words);
    int rest;
    rest = words % Ring;
    wrapped = (rest < 0) ? rest : rest - Ring;
  endfunction

  logic [LeadBits-1:0] words;
  logic [AddrBits:0] move;
  logic [RoomBits-1:0] freed;
  always_comb begin
    words = LeadBits'(Steps[Loops*32+:32]);
    move  = (AddrBits + 1)'(wrapped(int'(Steps[Loops*32+:32])));
    for (int n = Loops - 1; n >= 0; n = n - 1) begin
      if (!last[n]) begin
        words = LeadBits'(Steps[n*32+:32]);
        move  = (AddrBits + 1)'(wrapped(int'(Steps[n*32+:32])));
      end
    end
    freed = RoomBits'(Nexts[2*32+:32]);
    if (!last[4]) freed = RoomBits'(Nexts[1*32+:32]);
    if (!last[3]) freed = RoomBits'(Nexts[0*32+:32]);
    if (!(&last[2:0])) freed = '0;
  end

  // lead: words that can be read from the next one on, less one; room: words that can be taken, less one. Below 0, their
  // highest bit says that there is none.
  logic [LeadBits-1:0] lead_q;
  logic [RoomBits-1:0] room_q;
  logic [AddrBits-1:0] write_q, read_q;
  logic [AddrBits:0] read_d;
  logic write, written_q, ready_q, credit;

  assign in_ready_o = ready_q && !room_q[RoomBits-1];
  assign write = in_valid_i & in_ready_o;
  assign step = credit && !lead_q[LeadBits-1];

  generate
    if (Depth == (1 << AddrBits)) begin : g_power_of_two
      assign read_d = {1'b0, read_q} + move;
    end else begin : g_modulo
      logic [AddrBits:0] below;  // less Depth: negative if it need not wrap
      assign below  = {1'b0, read_q} + move;
      assign read_d = below[AddrBits] ? below + (AddrBits + 1)'(Depth) : below;
    end
  endgenerate
  logic unused_carry;
  assign unused_carry = read_d[AddrBits];

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      lead_q <= '1;
      room_q <= RoomBits'(Depth - 1);
      write_q <= '0;
      read_q <= '0;
      written_q <= 1'b0;
      ready_q <= 1'b0;
    end else begin
      ready_q <= 1'b1;
      written_q <= write;
      lead_q <= lead_q + LeadBits'(written_q) - (step ? words : '0);
      room_q <= room_q - RoomBits'(write) + (step ? freed : '0);
      if (write) write_q <= (write_q == AddrBits'(Depth - 1)) ? '0 : write_q + 1'b1;
      if (step) read_q <= read_d[AddrBits-1:0];
    end
  end

  // The memory, a register behind it (a block RAM is slow), and the output buffer.
  logic [Width-1:0] read_data, word_q;
  logic reading_q, push_q;
  stream_memory #(
      .Width(Width),
      .Depth(Depth),
      .RamStyle(RamStyle)
  ) u_memory (
      .clk_i,
      .write_i(write),
      .write_addr_i(write_q),
      .write_data_i(in_data_i),
      .read_addr_i(read_q),
      .read_data_o(read_data)
  );
  always_ff @(posedge clk_i) begin
    word_q  <= read_data;
    reading_q <= rst_ni && step;
    push_q  <= rst_ni && reading_q;
  end

  credit_fifo #(
      .Width(Width),
      .Depth(OutDepth)
  ) u_out (
      .clk_i,
      .rst_ni,
      .credit_o(credit),
      .take_i(step),
      .push_i(push_q),
      .data_i(word_q),
      .out_data_o,
      .out_valid_o,
      .out_ready_i
  );
endmodule
