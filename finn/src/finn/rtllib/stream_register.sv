// Two-entry buffer between two streams: full throughput, one cycle of latency, and every output a function of registers,
// so that it cuts all combinational paths between its sides.
module stream_register #(
    parameter int unsigned Width = 8
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
  logic [Width-1:0] spare_q;
  logic ready_q, valid_q, spare_valid_q, take, move;

  assign in_ready_o = ready_q;
  assign out_valid_o = valid_q;
  assign take = in_valid_i & ready_q;
  assign move = !valid_q | out_ready_i;  // the front can be filled

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      ready_q <= 1'b0;
      valid_q <= 1'b0;
      spare_valid_q <= 1'b0;
    end else if (move) begin
      valid_q <= spare_valid_q | take;
      spare_valid_q <= 1'b0;  // a beat is never taken while the spare place is full
      ready_q <= 1'b1;
    end else begin
      spare_valid_q <= spare_valid_q | take;
      ready_q <= !(spare_valid_q | take);
    end
  end

  always_ff @(posedge clk_i) begin
    if (move) out_data_o <= spare_valid_q ? spare_q : in_data_i;
    if (take) spare_q <= in_data_i;
  end

`ifdef FORMAL
  // What makes the contract inductive: the spare place is filled only behind a beat on offer, and then nothing is taken.
  logic started_q = 1'b0;
  always_ff @(posedge clk_i) started_q <= 1'b1;
  always_comb if (started_q) assert (!spare_valid_q || (valid_q && !ready_q));
`endif
endmodule
