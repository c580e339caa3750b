// Whose turn it is: stream k for Beats[32*k+:32] steps, then the next one, after the last the first again.
//
// turn_o is one-hot and a register; step_i is one step of the stream whose turn it is.
module turn_counter #(
    parameter int unsigned Streams = 2,
    parameter logic [Streams*32-1:0] Beats = {Streams{32'd1}}  // each at least 1
) (
    input  logic               clk_i,
    input  logic               rst_ni,
    input  logic               step_i,
    output logic [Streams-1:0] turn_o
);
  function automatic int unsigned most(input logic [Streams*32-1:0] beats);
    most = 1;
    for (int k = 0; k < int'(Streams); k = k + 1) if (beats[k*32+:32] > most) most = beats[k*32+:32];
  endfunction
  localparam int unsigned Most = most(Beats);
  localparam int unsigned LeftBits = (Most > 1) ? $clog2(Most) : 1;

  logic [Streams-1:0] turn_q, turn_next;
  logic [LeftBits-1:0] left_q, left_next;  // steps of this turn behind the present one; of the next turn
  assign turn_o = turn_q;
  assign turn_next = Streams'({turn_q, turn_q[Streams-1]});
  always_comb begin
    left_next = '0;
    for (int k = 0; k < int'(Streams); k = k + 1) if (turn_next[k]) left_next |= LeftBits'(Beats[k*32+:32] - 32'd1);
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      turn_q <= Streams'(1);
      left_q <= LeftBits'(Beats[31:0] - 32'd1);
    end else if (step_i) begin
      turn_q <= (left_q == '0) ? turn_next : turn_q;
      left_q <= (left_q == '0) ? left_next : left_q - 1'b1;
    end
  end
endmodule
