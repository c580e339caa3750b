// Positions 0 to Out - 1, over and over; position i stands for position floor(i * In / Out) of In <= Out (Bresenham).
//
// step_i goes to the next position. first_o, final_o: the present one is the first, the last that stands for the same
// one. last_o: it is the last of all. The three are functions of registers.
module nearest_axis #(
    parameter int unsigned In  = 3,
    parameter int unsigned Out = 5
) (
    input  logic clk_i,
    input  logic rst_ni,
    input  logic step_i,
    output logic first_o,
    output logic final_o,
    output logic last_o
);
  generate
    if (In == 0 || In > Out) begin : g_bad_sizes
      $error("nearest_axis: In has to be 1 to Out");
    end

    if (In < Out) begin : g_rest
      // rest: i * In modulo Out. What follows depends on the present rest only, so that no comparison waits for the sum.
      localparam int unsigned Bits = $clog2(Out);
      logic [Bits-1:0] rest_q;
      logic first_q, final_q, ends_high, ends_low;
      assign first_o = first_q;
      assign final_o = final_q;
      if (2 * In > Out) begin : g_mostly_final
        assign ends_low  = 1'b1;
        assign ends_high = rest_q >= Bits'(2 * (Out - In));
      end else if (2 * In < Out) begin : g_seldom_final
        assign ends_low  = rest_q >= Bits'(Out - 2 * In);
        assign ends_high = 1'b0;
      end else begin : g_in_turn
        assign ends_low  = 1'b1;
        assign ends_high = 1'b0;
      end
      always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
          rest_q  <= '0;
          first_q <= 1'b1;
          final_q <= 1'b0;
        end else if (step_i) begin
          rest_q  <= final_q ? rest_q - Bits'(Out - In) : rest_q + Bits'(In);
          first_q <= final_q;
          final_q <= final_q ? ends_high : ends_low;
        end
      end
    end else begin : g_same
      assign first_o = 1'b1;
      assign final_o = 1'b1;
    end

    if (In > 1) begin : g_count
      localparam int unsigned CountBits = $clog2(In);
      logic [CountBits-1:0] count_q;
      logic last_q;
      assign last_o = last_q & final_o;
      always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
          count_q <= '0;
          last_q  <= 1'b0;
        end else if (step_i && final_o) begin
          count_q <= last_q ? '0 : count_q + 1'b1;
          last_q  <= !last_q && count_q == CountBits'(In - 2);
        end
      end
    end else begin : g_one
      assign last_o = final_o;
    end
    if (Out == 1) begin : g_nothing
      logic unused_ports;
      assign unused_ports = ^{clk_i, rst_ni, step_i};
    end
  endgenerate
endmodule
