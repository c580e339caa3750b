// All KH * KW positions of a sliding window in one beat.
//
// In: an image of Rows x Columns pixels, Folds words of Width bits each. Out: for each window, row by row, and each fold
// one beat; position (y, x) of the window is at [(y * KW + x) * Width +: Width].
// A chain of delays with a tap per position moves one word per input beat; the beat that completes a window at a place
// of the strides makes an output beat. First: index of the row and the column that complete the first window; what comes
// behind the last window is taken and dropped. So a frame takes as many cycles as it has input beats.
// ColumnDelay, RowDelay: words between neighbours in a row of the window, and from the first of a row to the last of the
// row above. RamStyle: of the memories between rows.
// Latency: a window is pushed into the output buffer one cycle after its last word was taken. No path from an input to
// an output port is combinational.
module parallel_window #(
    parameter int unsigned Width = 8,
    parameter int unsigned Folds = 1,
    parameter int unsigned Rows = 8,
    parameter int unsigned Columns = 8,
    parameter int unsigned KH = 3,
    parameter int unsigned KW = 3,
    parameter int unsigned FirstRow = 2,
    parameter int unsigned FirstColumn = 2,
    parameter int unsigned StrideRow = 1,
    parameter int unsigned StrideColumn = 1,
    /* verilator lint_off UNUSEDPARAM */  // a window of one row or column has no such delays
    parameter int unsigned ColumnDelay = 1,
    parameter int unsigned RowDelay = 6,
    parameter              RamStyle = "auto",
    /* verilator lint_on UNUSEDPARAM */
    parameter int unsigned OutDepth = 8
) (
    input  logic                   clk_i,
    input  logic                   rst_ni,
    input  logic [      Width-1:0] in_data_i,
    input  logic                   in_valid_i,
    output logic                   in_ready_o,
    output logic [KH*KW*Width-1:0] out_data_o,
    output logic                   out_valid_o,
    input  logic                   out_ready_i
);
  // Where the next word is, and how many pixels are to come before one that completes a window.
  localparam int unsigned FoldBits = (Folds > 1) ? $clog2(Folds) : 1;
  localparam int unsigned ColumnBits = (Columns > 1) ? $clog2(Columns) : 1;
  localparam int unsigned RowBits = (Rows > 1) ? $clog2(Rows) : 1;
  localparam int unsigned MostColumns = (FirstColumn > StrideColumn) ? FirstColumn : StrideColumn;
  localparam int unsigned MostRows = (FirstRow > StrideRow) ? FirstRow : StrideRow;
  localparam int unsigned SkipColumnBits = $clog2(MostColumns + 1);
  localparam int unsigned SkipRowBits = $clog2(MostRows + 1);

  logic [FoldBits-1:0] fold_q;
  logic [ColumnBits-1:0] column_q;
  logic [RowBits-1:0] row_q;
  logic [SkipColumnBits-1:0] skip_column_q, skip_column_d;
  logic [SkipRowBits-1:0] skip_row_q, skip_row_d;
  logic last_fold, last_column, last_row, completes_q, ready_q, push_q, credit, take;

  assign in_ready_o = ready_q && (credit || !completes_q);
  assign take = in_valid_i & in_ready_o;
  assign last_fold = fold_q == FoldBits'(Folds - 1);
  assign last_column = column_q == ColumnBits'(Columns - 1);
  assign last_row = row_q == RowBits'(Rows - 1);

  always_comb begin
    skip_column_d = skip_column_q;
    skip_row_d = skip_row_q;
    if (take && last_fold) begin
      if (last_column) skip_column_d = SkipColumnBits'(FirstColumn);
      else skip_column_d = (skip_column_q == '0) ? SkipColumnBits'(StrideColumn - 1) : skip_column_q - 1'b1;
      if (last_column && last_row) skip_row_d = SkipRowBits'(FirstRow);
      else if (last_column) skip_row_d = (skip_row_q == '0) ? SkipRowBits'(StrideRow - 1) : skip_row_q - 1'b1;
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      fold_q <= '0;
      column_q <= '0;
      row_q <= '0;
      skip_column_q <= SkipColumnBits'(FirstColumn);
      skip_row_q <= SkipRowBits'(FirstRow);
      completes_q <= FirstColumn == 0 && FirstRow == 0;
      ready_q <= 1'b0;
      push_q <= 1'b0;
    end else begin
      ready_q <= 1'b1;
      push_q <= take && completes_q;
      skip_column_q <= skip_column_d;
      skip_row_q <= skip_row_d;
      completes_q <= skip_column_d == '0 && skip_row_d == '0;
      if (take) fold_q <= last_fold ? '0 : fold_q + 1'b1;
      if (take && last_fold) column_q <= last_column ? '0 : column_q + 1'b1;
      if (take && last_fold && last_column) row_q <= last_row ? '0 : row_q + 1'b1;
    end
  end

  // The window. All delays of one length are one memory: those between neighbours in a row, and those between rows.
  logic [Width-1:0] word_q;
  logic [KH*KW*Width-1:0] window;
  always_ff @(posedge clk_i) if (take) word_q <= in_data_i;
  assign window[KH*KW*Width-1-:Width] = word_q;

  generate
    if (KW > 1) begin : g_columns
      logic [KH*(KW-1)*Width-1:0] newer, older;
      delay_line #(
          .Width(KH * (KW - 1) * Width),
          .Delay(ColumnDelay)
      ) u_delay (
          .clk_i,
          .rst_ni,
          .advance_i(take),
          .data_i(newer),
          .data_o(older)
      );
      for (genvar y = 0; y < KH; y = y + 1) begin : g_row
        assign newer[y*(KW-1)*Width+:(KW-1)*Width]  = window[(y*KW+1)*Width+:(KW-1)*Width];
        assign window[y*KW*Width+:(KW-1)*Width] = older[y*(KW-1)*Width+:(KW-1)*Width];
      end
    end
    if (KH > 1) begin : g_rows
      logic [(KH-1)*Width-1:0] newer, older;
      delay_line #(
          .Width((KH - 1) * Width),
          .Delay(RowDelay),
          .RamStyle(RamStyle)
      ) u_delay (
          .clk_i,
          .rst_ni,
          .advance_i(take),
          .data_i(newer),
          .data_o(older)
      );
      for (genvar y = 0; y < KH - 1; y = y + 1) begin : g_row
        assign newer[y*Width+:Width] = window[(y+1)*KW*Width+:Width];
        assign window[(y*KW+KW-1)*Width+:Width] = older[y*Width+:Width];
      end
    end
  endgenerate

  credit_fifo #(
      .Width(KH * KW * Width),
      .Depth(OutDepth)
  ) u_out (
      .clk_i,
      .rst_ni,
      .credit_o(credit),
      .take_i(take && completes_q),
      .push_i(push_q),
      .data_i(window),
      .out_data_o,
      .out_valid_o,
      .out_ready_i
  );
endmodule
