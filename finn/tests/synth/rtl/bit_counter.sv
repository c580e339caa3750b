// Number of ones among the Width bits of each word, one register stage.
module bit_counter #(
  parameter int unsigned Width = 32
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic [Width-1:0] in_data_i,
  input  logic             in_valid_i,
  output logic             in_ready_o,
  output logic [7:0]       out_data_o,
  output logic             out_valid_o,
  input  logic             out_ready_i
);
  assign in_ready_o = !out_valid_o || out_ready_i;
  always_ff @(posedge clk_i) begin
    if (in_ready_o) out_data_o <= 8'($countones(in_data_i));
    if (!rst_ni) out_valid_o <= 1'b0;
    else if (in_ready_o) out_valid_o <= in_valid_i;
  end
endmodule
