// Output buffer of a pipeline that cannot stall.
//
// The pipeline asks for room before it starts a result: `credit_o` says that there is room for one more, `take_i` takes
// it, and exactly one `push_i` has to follow for each take, any number of cycles later. So the pipeline needs no clock
// enable (whose fan-out would set the clock rate), and no result is ever lost.
// Latency: two cycles from push to out_valid_o. For one result per cycle, Depth >= pipeline latency + 4.
module credit_fifo #(
    parameter int unsigned Width = 8,
    parameter int unsigned Depth = 16
) (
    input  logic             clk_i,
    input  logic             rst_ni,
    output logic             credit_o,
    input  logic             take_i,
    input  logic             push_i,
    input  logic [Width-1:0] data_i,
    output logic [Width-1:0] out_data_o,
    output logic             out_valid_o,
    input  logic             out_ready_i
);
  localparam int unsigned CountBits = $clog2(Depth + 1);
  logic [CountBits-1:0] credits_q, credits_d;
  logic credit_q, pop, unused_ready;

  assign pop = out_valid_o & out_ready_i;
  assign credit_o = credit_q;

  always_comb begin
    credits_d = credits_q;
    if (take_i && !pop) credits_d = credits_q - 1'b1;
    if (!take_i && pop) credits_d = credits_q + 1'b1;
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      credits_q <= CountBits'(Depth);
      credit_q  <= 1'b0;
    end else begin
      credits_q <= credits_d;
      credit_q  <= credits_d != '0;
    end
  end

  streaming_fifo #(
      .Width(Width),
      .Depth(Depth),
      .RamStyle("distributed")
  ) u_fifo (
      .clk_i,
      .rst_ni,
      .in_data_i(data_i),
      .in_valid_i(push_i),
      .in_ready_o(unused_ready),
      .out_data_o,
      .out_valid_o,
      .out_ready_i
  );

`ifndef SYNTHESIS
  always_ff @(posedge clk_i)
    if (rst_ni && push_i && !unused_ready) begin
      assert (0)
      else $error("credit_fifo: a result was pushed without a credit");
    end
`endif
`ifdef FORMAL
  always_comb if (rst_ni && push_i) assert (unused_ready);
`endif
`ifdef FINN_LATENCY
  // Behind a pipeline of that many cycles the contract is inductive: each place is a credit, on the way, or taken.
  logic started_q = 1'b0;
  logic [`FINN_LATENCY-1:0] way_q;
  (* hierconn *) wire [CountBits-1:0] \u_fifo.count_q ;  // Yosys' way to look into an instance
  always_ff @(posedge clk_i) begin
    started_q <= 1'b1;
    way_q <= rst_ni ? `FINN_LATENCY'({way_q, take_i}) : '0;
  end
  always_comb
    if (started_q) begin
      assert (push_i == way_q[`FINN_LATENCY-1]);
      assert (32'(credits_q) + $countones(way_q) + 32'(\u_fifo.count_q ) == Depth);
      assert (!credit_q || credits_q != '0);
      assert (!take_i || credits_q != '0);
    end
`endif
endmodule
