// Sum, maximum or minimum of each tile of an image (pool_lane), per channel; tiles do not overlap.
//
// In: Rows x Columns pixels of Folds beats of PE values. Tiles are TileRows x TileColumns pixels; those at the end that
// are not whole are dropped, or reduced as far as they reach (Partial). Out: a beat per fold of each tile, row by row.
// The values so far are kept in a memory of a word per fold of each tile in a row of tiles (of one tile, if tiles are
// one row), or in a register if that is one. One input beat per cycle; what leaves is pushed two cycles after the beat
// that completes it, which waits for a place in the output buffer: nothing behind it stalls. No path from an input to an
// output port is combinational.
module tile_pool #(
    parameter int unsigned PE = 1,
    parameter int unsigned Folds = 2,
    parameter int unsigned Rows = 5,
    parameter int unsigned TileRows = 2,
    parameter int unsigned Columns = 7,
    parameter int unsigned TileColumns = 3,
    parameter bit Partial = 0,
    parameter int unsigned Function = 0,
    parameter int unsigned InBits = 8,
    parameter int unsigned Kind = 0,
    parameter int unsigned AccBits = 11,
    parameter int unsigned Shift = 3,
    parameter int unsigned OutBits = 8,
    parameter int unsigned OutDepth = 8,
    /* verilator lint_off UNUSEDPARAM */  // a register has no memory style
    parameter RamStyle = "auto"
    /* verilator lint_on UNUSEDPARAM */
) (
    input  logic                  clk_i,
    input  logic                  rst_ni,
    input  logic [ PE*InBits-1:0] in_data_i,
    input  logic                  in_valid_i,
    output logic                  in_ready_o,
    output logic [PE*OutBits-1:0] out_data_o,
    output logic                  out_valid_o,
    input  logic                  out_ready_i
);
  localparam int unsigned TilesInRow = Partial ? (Columns + TileColumns - 1) / TileColumns : Columns / TileColumns;
  localparam int unsigned Depth = Folds * ((TileRows > 1) ? TilesInRow : 1);

  logic ready_q, credit, take, kept, starts, ends;
  logic last_fold, unused_fold, last_row;
  logic first_column, final_column, kept_column, last_column, first_row, final_row, kept_row;
  assign kept = kept_column & kept_row;
  assign starts = first_column & first_row;
  assign ends = final_column & final_row & kept;
  assign in_ready_o = ready_q & (credit | !ends);
  assign take = in_valid_i & in_ready_o;

  strided_axis #(
      .Size(Folds),
      .First(0),
      .Stride(1),
      .Count(Folds)
  ) u_fold (
      .clk_i,
      .rst_ni,
      .step_i(take),
      .chosen_o(unused_fold),
      .last_o(last_fold)
  );
  tile_axis #(
      .Size(Columns),
      .Tile(TileColumns),
      .Partial(Partial)
  ) u_column (
      .clk_i,
      .rst_ni,
      .step_i(take & last_fold),
      .first_o(first_column),
      .final_o(final_column),
      .kept_o(kept_column),
      .last_o(last_column)
  );
  tile_axis #(
      .Size(Rows),
      .Tile(TileRows),
      .Partial(Partial)
  ) u_row (
      .clk_i,
      .rst_ni,
      .step_i(take & last_fold & last_column),
      .first_o(first_row),
      .final_o(final_row),
      .kept_o(kept_row),
      .last_o(last_row)
  );

  // The beat and its word, one cycle after it was taken.
  logic [PE*InBits-1:0] x_q;
  logic [PE*AccBits-1:0] so_far, reduced;
  logic [PE*OutBits-1:0] y, y_q;
  logic taken_q, starts_q, ends_q, push_q;
  always_ff @(posedge clk_i) begin
    ready_q <= rst_ni;
    taken_q <= rst_ni & take & kept;
    ends_q <= rst_ni & take & ends;
    push_q <= rst_ni & ends_q;
    if (take) begin
      x_q <= in_data_i;
      starts_q <= starts;
    end
    y_q <= y;
  end

  logic [PE*AccBits-1:0] latest_q;  // what the beat before has made
  always_ff @(posedge clk_i) if (taken_q) latest_q <= reduced;

  generate
    if (Depth > 1) begin : g_memory
      localparam int unsigned AddrBits = $clog2(Depth);
      logic [AddrBits-1:0] addr_q, tile_q, next, read_q, written_q;
      logic [PE*AccBits-1:0] word;
      assign next = addr_q + 1'b1;
      always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
          addr_q <= '0;
          tile_q <= '0;
        end else if (take) begin
          addr_q <= next;
          if (last_fold) begin
            if (last_column || (final_column && TileRows == 1)) begin
              addr_q <= '0;
              tile_q <= '0;
            end else if (final_column) begin
              tile_q <= next;
            end else begin
              addr_q <= tile_q;
            end
          end
        end
        if (take) read_q <= addr_q;
        if (taken_q) written_q <= read_q;
      end
      stream_memory #(
          .Width(PE * AccBits),
          .Depth(Depth),
          .RamStyle(RamStyle)
      ) u_memory (
          .clk_i,
          .write_i(taken_q),
          .write_addr_i(read_q),
          .write_data_i(reduced),
          .read_addr_i(addr_q),
          .read_data_o(word)
      );
      // A word that the beat before has written is not yet in the memory when it is read.
      assign so_far = (read_q == written_q) ? latest_q : word;
    end else begin : g_register
      assign so_far = latest_q;
    end

    for (genvar p = 0; p < PE; p = p + 1) begin : g_lane
      pool_lane #(
          .Function(Function),
          .InBits(InBits),
          .Kind(Kind),
          .AccBits(AccBits),
          .Shift(Shift),
          .OutBits(OutBits)
      ) u_lane (
          .acc_i(so_far[p*AccBits+:AccBits]),
          .first_i(starts_q),
          .x_i(x_q[p*InBits+:InBits]),
          .acc_o(reduced[p*AccBits+:AccBits]),
          .y_o(y[p*OutBits+:OutBits])
      );
    end
  endgenerate

  credit_fifo #(
      .Width(PE * OutBits),
      .Depth(OutDepth)
  ) u_out (
      .clk_i,
      .rst_ni,
      .credit_o(credit),
      .take_i(take & ends),
      .push_i(push_q),
      .data_i(y_q),
      .out_data_o,
      .out_valid_o,
      .out_ready_i
  );
  logic unused_flags;
  assign unused_flags = unused_fold ^ last_row;
endmodule
