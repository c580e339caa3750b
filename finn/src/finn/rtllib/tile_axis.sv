// Positions 0 to Size - 1, over and over, cut into tiles of Tile positions.
//
// step_i goes to the next position. first_o, final_o: the present one is the first, the last of its tile. kept_o: its
// tile counts; one at the end that is not whole counts only if Partial. last_o: the present position is the last of all.
// The four are functions of registers.
module tile_axis #(
    parameter int unsigned Size = 8,
    parameter int unsigned Tile = 3,
    parameter bit Partial = 0
) (
    input  logic clk_i,
    input  logic rst_ni,
    input  logic step_i,
    output logic first_o,
    output logic final_o,
    output logic kept_o,
    output logic last_o
);
  localparam int unsigned Whole = (Size / Tile) * Tile;

  generate
    if (Tile == 0 || (Size < Tile && !Partial)) begin : g_bad_sizes
      $error("tile_axis: Tile has to be 1 to Size");
    end

    if (Size > 1) begin : g_count
      localparam int unsigned Bits = $clog2(Size);
      logic [Bits-1:0] position_q;
      logic last_q;
      assign last_o = last_q;
      always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
          position_q <= '0;
          last_q <= 1'b0;
        end else if (step_i) begin
          position_q <= last_q ? '0 : position_q + 1'b1;
          last_q <= !last_q && position_q == Bits'(Size - 2);
        end
      end
      if (Whole < Size && !Partial) begin : g_rest
        logic kept_q;
        assign kept_o = kept_q;
        always_ff @(posedge clk_i)
          if (!rst_ni) kept_q <= 1'b1;
          else if (step_i) kept_q <= last_q || (kept_q && position_q != Bits'(Whole - 1));
      end else begin : g_all
        assign kept_o = 1'b1;
      end
    end else begin : g_one
      assign last_o = 1'b1;
      assign kept_o = 1'b1;
    end

    if (Tile > 1 && Size > 1) begin : g_tile
      localparam int unsigned TileBits = $clog2(Tile);
      logic [TileBits-1:0] place_q;
      logic final_q;
      assign first_o = place_q == '0;
      assign final_o = final_q | last_o;
      always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
          place_q <= '0;
          final_q <= 1'b0;
        end else if (step_i) begin
          place_q <= final_o ? '0 : place_q + 1'b1;
          final_q <= !final_o && place_q == TileBits'(Tile - 2);
        end
      end
    end else begin : g_each
      assign first_o = 1'b1;
      assign final_o = 1'b1;
    end
    if (Size == 1) begin : g_nothing
      logic unused_ports;
      assign unused_ports = ^{clk_i, rst_ni, step_i};
    end
  endgenerate
endmodule
