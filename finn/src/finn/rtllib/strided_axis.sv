// Positions 0 to Size - 1, over and over, of which First, First + Stride, … are chosen, Count of them.
//
// step_i goes to the next position. chosen_o and last_o (whether the present position is chosen, and is the last) are
// registers.
module strided_axis #(
    parameter int unsigned Size   = 8,
    parameter int unsigned First  = 1,
    parameter int unsigned Stride = 2,
    parameter int unsigned Count  = 3
) (
    input  logic clk_i,
    input  logic rst_ni,
    input  logic step_i,
    output logic chosen_o,
    output logic last_o
);
  localparam int unsigned Final = First + (Count - 1) * Stride;

  generate
    if (Count == 0 || Stride == 0 || Final >= Size) begin : g_bad_sizes
      $error("strided_axis: Count and Stride are 1 or more, and all Count chosen positions are below Size");
    end

    if (Size > 1) begin : g_count
      localparam int unsigned Bits = $clog2(Size);
      logic [Bits-1:0] position_q;
      logic last_q, chosen_q, more_q, enter, more, due;
      assign enter = (First == 0) ? last_q : position_q == Bits'(First - 1);  // the next position is the first chosen
      assign more  = more_q && position_q != Bits'(Final);  // others are chosen behind this position
      assign last_o = last_q;
      assign chosen_o = chosen_q;

      always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
          position_q <= '0;
          last_q <= 1'b0;
          chosen_q <= (First == 0);
          more_q <= (First == 0);
        end else if (step_i) begin
          position_q <= last_q ? '0 : position_q + 1'b1;
          last_q <= !last_q && position_q == Bits'(Size - 2);
          chosen_q <= enter || (more && due);
          more_q <= enter || more;
        end
      end

      if (Stride > 1) begin : g_stride
        localparam int unsigned PhaseBits = $clog2(Stride);
        logic [PhaseBits-1:0] phase_q;  // positions since one was chosen, modulo Stride
        assign due = phase_q == PhaseBits'(Stride - 1);
        always_ff @(posedge clk_i)
          if (!rst_ni) phase_q <= '0;
          else if (step_i) phase_q <= (enter || due) ? '0 : phase_q + 1'b1;
      end else begin : g_each
        assign due = 1'b1;
      end
    end else begin : g_one
      logic unused_ports;
      assign unused_ports = ^{clk_i, rst_ni, step_i};
      assign chosen_o = 1'b1;
      assign last_o = 1'b1;
    end
  endgenerate
endmodule
