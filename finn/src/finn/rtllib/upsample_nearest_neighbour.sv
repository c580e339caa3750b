// Images with more pixels: pixel (i, j) of the output is pixel (floor(i * InRows / Rows), floor(j * InColumns / Columns))
// of the input; a pixel has Folds words.
//
// A ring memory of Depth words holds what is read again: a row of the input if rows are repeated, else a pixel. A word is
// freed when it is read for the last time; it can be read two cycles after it was taken. One output word per cycle.
// No path from an input to an output port is combinational, and a read waits for a place in the output buffer, so that
// nothing behind it stalls.
module upsample_nearest_neighbour #(
    parameter int unsigned Width = 8,
    parameter int unsigned Folds = 1,
    parameter int unsigned InRows = 2,
    parameter int unsigned Rows = 3,
    parameter int unsigned InColumns = 3,
    parameter int unsigned Columns = 5,
    parameter int unsigned Depth = 4,
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
  localparam int unsigned Held = ((InRows < Rows) ? InColumns : 1) * Folds;
  localparam int unsigned AddrBits = $clog2(Depth);
  localparam int unsigned CountBits = $clog2(Depth + 1) + 1;

  generate
    if (Depth < Held || Depth < 2) begin : g_bad_depth
      $error("upsample_nearest_neighbour: Depth has to hold what is read again, and 2 words");
    end
  endgenerate

  // The loops: words of a pixel, columns, rows.
  logic step, last_fold, next_column, next_row, unused_fold, unused_row;
  logic first_column, final_column, last_column, first_row, final_row;
  assign next_column = step & last_fold;
  assign next_row = next_column & last_column;

  strided_axis #(
      .Size(Folds),
      .First(0),
      .Stride(1),
      .Count(Folds)
  ) u_fold (
      .clk_i,
      .rst_ni,
      .step_i(step),
      .chosen_o(unused_fold),
      .last_o(last_fold)
  );
  nearest_axis #(
      .In (InColumns),
      .Out(Columns)
  ) u_column (
      .clk_i,
      .rst_ni,
      .step_i(next_column),
      .first_o(first_column),
      .final_o(final_column),
      .last_o(last_column)
  );
  nearest_axis #(
      .In (InRows),
      .Out(Rows)
  ) u_row (
      .clk_i,
      .rst_ni,
      .step_i(next_row),
      .first_o(first_row),
      .final_o(final_row),
      .last_o(unused_row)
  );

  // fresh: words never read, less one; room: words that can be taken, less one. Below 0, their highest bit says that
  // there is none.
  logic [CountBits-1:0] fresh_q, room_q;
  logic [AddrBits-1:0] write_q, read_q, read_next, pixel_q, row_q;
  logic write, written_q, ready_q, credit, first, final_read;
  assign first = first_column & first_row;
  assign final_read = final_column & final_row;
  assign in_ready_o = ready_q & !room_q[CountBits-1];
  assign write = in_valid_i & in_ready_o;
  assign step = credit & !(first & fresh_q[CountBits-1]);
  assign read_next = (read_q == AddrBits'(Depth - 1)) ? '0 : read_q + 1'b1;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      fresh_q <= '1;
      room_q <= CountBits'(Depth - 1);
      written_q <= 1'b0;
      ready_q <= 1'b0;
      write_q <= '0;
      read_q <= '0;
      pixel_q <= '0;
      row_q <= '0;
    end else begin
      ready_q <= 1'b1;
      written_q <= write;
      fresh_q <= fresh_q + CountBits'(written_q) - CountBits'(step & first);
      room_q <= room_q - CountBits'(write) + CountBits'(step & final_read);
      if (write) write_q <= (write_q == AddrBits'(Depth - 1)) ? '0 : write_q + 1'b1;
      if (step) read_q <= read_next;
      if (next_column && !final_column) read_q <= pixel_q;
      if (next_column && final_column) pixel_q <= read_next;
      if (next_row && !final_row) begin
        read_q  <= row_q;
        pixel_q <= row_q;
      end
      if (next_row && final_row) row_q <= read_next;
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
    word_q <= read_data;
    reading_q <= rst_ni & step;
    push_q <= rst_ni & reading_q;
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
