// Frames into which pixels of one value are inserted: of the output's raster (pixel_raster), the chosen pixels come from
// the input, the others are Value in each of their Lanes elements of Bits bits.
//
// One output beat per cycle. What stands before the first input beat of a frame is sent without waiting for it.
// Value is given in two halves of 32 bits, two's complement; its lowest Bits count.
module pixel_insert #(
    parameter int unsigned Lanes = 1,
    parameter int unsigned Bits = 8,
    parameter int unsigned ValueLow = 0,
    parameter int unsigned ValueHigh = 0,
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
    input  logic                  clk_i,
    input  logic                  rst_ni,
    input  logic [Lanes*Bits-1:0] in_data_i,
    input  logic                  in_valid_i,
    output logic                  in_ready_o,
    output logic [Lanes*Bits-1:0] out_data_o,
    output logic                  out_valid_o,
    input  logic                  out_ready_i
);
  localparam bit [63:0] Value = {ValueHigh, ValueLow};

  generate
    if (Bits > 64) begin : g_bad_bits
      $error("pixel_insert: Bits may be 64 at the most");
    end
  endgenerate

  logic ready, chosen, valid;
  assign in_ready_o = ready & chosen;
  assign valid = in_valid_i | !chosen;

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
      .step_i(ready & valid),
      .chosen_o(chosen)
  );

  stream_register #(
      .Width(Lanes * Bits)
  ) u_out (
      .clk_i,
      .rst_ni,
      .in_data_i(chosen ? in_data_i : {Lanes{Value[Bits-1:0]}}),
      .in_valid_i(valid),
      .in_ready_o(ready),
      .out_data_o,
      .out_valid_o,
      .out_ready_i
  );
endmodule
