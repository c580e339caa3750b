// Frames of which pixels are dropped: of the input's raster (pixel_raster), the chosen pixels are sent on.
//
// One input beat per cycle; those that are dropped do not wait for the output.
module pixel_filter #(
    parameter int unsigned Width = 8,
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
    input  logic             clk_i,
    input  logic             rst_ni,
    input  logic [Width-1:0] in_data_i,
    input  logic             in_valid_i,
    output logic             in_ready_o,
    output logic [Width-1:0] out_data_o,
    output logic             out_valid_o,
    input  logic             out_ready_i
);
  logic started_q, ready, chosen;
  assign in_ready_o = started_q & (ready | !chosen);
  always_ff @(posedge clk_i) started_q <= rst_ni;

  pixel_raster #(
      .Folds(Folds),
      .Rows(Rows),
      .FirstRow(FirstRow),
      .RowStride(RowStride),
      .ChosenRows(ChosenRows),
      .Columns(Columns),
      .FirstColumn(FirstColumn),
      .ColumnStride(ColumnStride),
      .ChosenColumns(ChosenColumns)
  ) u_raster (
      .clk_i,
      .rst_ni,
      .step_i(in_valid_i & in_ready_o),
      .chosen_o(chosen)
  );

  stream_register #(
      .Width(Width)
  ) u_out (
      .clk_i,
      .rst_ni,
      .in_data_i,
      .in_valid_i(in_valid_i & chosen),
      .in_ready_o(ready),
      .out_data_o,
      .out_valid_o,
      .out_ready_i
  );
endmodule
