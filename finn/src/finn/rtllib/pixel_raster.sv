// Beats of a frame, Folds per pixel, pixels row by row; a pixel is chosen if its row and its column are (strided_axis).
//
// step_i goes to the next beat. chosen_o, whether the present one is of a chosen pixel, is a function of registers.
module pixel_raster #(
    parameter int unsigned Folds = 1,
    parameter int unsigned Rows = 4,
    parameter int unsigned FirstRow = 1,
    parameter int unsigned RowStride = 1,
    parameter int unsigned ChosenRows = 2,
    parameter int unsigned Columns = 4,
    parameter int unsigned FirstColumn = 1,
    parameter int unsigned ColumnStride = 1,
    parameter int unsigned ChosenColumns = 2
) (
    input  logic clk_i,
    input  logic rst_ni,
    input  logic step_i,
    output logic chosen_o
);
  logic last_fold, last_column, row, column, unused_fold, unused_last;
  assign chosen_o = row & column;

  strided_axis #(
      .Size(Folds),
      .First(0),
      .Stride(1),
      .Count(Folds)
  ) u_fold (
      .clk_i,
      .rst_ni,
      .step_i,
      .chosen_o(unused_fold),
      .last_o(last_fold)
  );
  strided_axis #(
      .Size(Columns),
      .First(FirstColumn),
      .Stride(ColumnStride),
      .Count(ChosenColumns)
  ) u_column (
      .clk_i,
      .rst_ni,
      .step_i(step_i & last_fold),
      .chosen_o(column),
      .last_o(last_column)
  );
  strided_axis #(
      .Size(Rows),
      .First(FirstRow),
      .Stride(RowStride),
      .Count(ChosenRows)
  ) u_row (
      .clk_i,
      .rst_ni,
      .step_i(step_i & last_fold & last_column),
      .chosen_o(row),
      .last_o(unused_last)
  );
endmodule
