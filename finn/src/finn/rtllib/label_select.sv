// The indices of the K largest of Labels values, best first; of equal values the lower index wins.
//
// An input beat carries PE values, so a vector takes Labels / PE beats; an output beat is one index.
// The lanes of a beat are ranked against each other (PE^2 / 2 comparators), the best K of them then merged with the best
// K so far, all pipelined: one beat per cycle.
module label_select #(
    parameter int unsigned Labels = 10,
    parameter int unsigned PE = 1,
    parameter int unsigned K = 1,
    parameter int unsigned InBits = 8,
    parameter bit InSigned = 1,
    parameter int unsigned OutBits = 4,
    parameter int unsigned OutDepth = 8
) (
    input  logic                 clk_i,
    input  logic                 rst_ni,
    input  logic [PE*InBits-1:0] in_data_i,
    input  logic                 in_valid_i,
    output logic                 in_ready_o,
    output logic [  OutBits-1:0] out_data_o,
    output logic                 out_valid_o,
    input  logic                 out_ready_i
);
  localparam int unsigned Folds = Labels / PE;
  localparam int unsigned FoldBits = (Folds > 1) ? $clog2(Folds) : 1;
  localparam int unsigned Best = (K < PE) ? K : PE;  // candidates from one beat
  localparam int unsigned RankBits = $clog2(PE + 1);
  localparam int unsigned PlaceBits = $clog2(K + Best + 1);

  generate
    if (Labels % PE != 0 || K > Labels || (1 << OutBits) < Labels) begin : g_bad_sizes
      $error("label_select: PE has to divide Labels, K may not exceed Labels, OutBits have to hold an index");
    end
  endgenerate

  logic credit, issue, last, ready_q;
  logic [FoldBits-1:0] fold_q;
  assign last = fold_q == FoldBits'(Folds - 1);
  assign in_ready_o = ready_q && (credit || !last);
  assign issue = in_valid_i & in_ready_o;

  // Stage 1: compare the lanes. Values are kept in offset binary, so that all comparisons are unsigned.
  logic [PE*InBits-1:0] x1_q, x2_q;
  logic [PE*OutBits-1:0] label1_q, label2_q;
  logic [3:0] valid_q, first_q, last_q;
  always_ff @(posedge clk_i) begin
    ready_q <= rst_ni;
    valid_q <= rst_ni ? 4'({valid_q, issue}) : '0;
    first_q <= 4'({first_q, fold_q == '0});
    last_q  <= 4'({last_q, last});
    if (!rst_ni) fold_q <= '0;
    else if (issue) fold_q <= last ? '0 : fold_q + 1'b1;
  end

  generate
    for (genvar p = 0; p < PE; p = p + 1) begin : g_lane
      always_ff @(posedge clk_i) begin
        x1_q[p*InBits+:InBits] <= in_data_i[p*InBits+:InBits] ^ {InSigned, {(InBits - 1) {1'b0}}};
        x2_q[p*InBits+:InBits] <= x1_q[p*InBits+:InBits];
        label1_q[p*OutBits+:OutBits] <= OutBits'(fold_q * PE + p);
        label2_q[p*OutBits+:OutBits] <= label1_q[p*OutBits+:OutBits];
      end
      logic [PE-1:0] beaten_q;  // by lane q
      for (genvar q = 0; q < PE; q = q + 1) begin : g_other
        if (q < p) begin : g_before
          always_ff @(posedge clk_i) beaten_q[q] <= x1_q[q*InBits+:InBits] >= x1_q[p*InBits+:InBits];
        end else if (q > p) begin : g_after
          always_ff @(posedge clk_i) beaten_q[q] <= x1_q[q*InBits+:InBits] > x1_q[p*InBits+:InBits];
        end else begin : g_self
          assign beaten_q[q] = 1'b0;
        end
      end
      logic [RankBits-1:0] rank;
      assign rank = RankBits'($countones(beaten_q));
    end

    // Stage 2: the lane of rank b becomes candidate b.
    for (genvar b = 0; b < Best; b = b + 1) begin : g_best
      for (genvar p = 0; p < PE; p = p + 1) begin : g_pick
        logic [InBits+OutBits-1:0] own, picked;  // of lane p, of the lanes up to p
        assign own = (g_lane[p].rank == RankBits'(b)) ? {x2_q[p*InBits+:InBits], label2_q[p*OutBits+:OutBits]} : '0;
        if (p == 0) begin : g_first
          assign picked = own;
        end else begin : g_next
          assign picked = g_pick[p-1].picked | own;
        end
      end
      logic [ InBits-1:0] value_q;
      logic [OutBits-1:0] label_q;
      always_ff @(posedge clk_i) {value_q, label_q} <= g_pick[PE-1].picked;
    end

    // Stage 3: merge with the best so far. Two sorted lists: an entry's place is its index plus how many of the other
    // list stand before it.
    for (genvar k = 0; k < K; k = k + 1) begin : g_held
      logic valid_held_q, valid_now;
      logic [InBits-1:0] value_q;
      logic [OutBits-1:0] label_q;
      assign valid_now = valid_held_q && !first_q[2];
      logic [Best-1:0] loses;
      for (genvar b = 0; b < Best; b = b + 1) begin : g_loses
        assign loses[b] = !valid_now || g_best[b].value_q > value_q;
      end
      logic [PlaceBits-1:0] place;
      assign place = PlaceBits'(k) + PlaceBits'($countones(loses));
    end
    for (genvar b = 0; b < Best; b = b + 1) begin : g_new
      logic [K-1:0] loses;
      for (genvar k = 0; k < K; k = k + 1) begin : g_loses
        assign loses[k] = !g_held[k].loses[b];
      end
      logic [PlaceBits-1:0] place;
      assign place = PlaceBits'(b) + PlaceBits'($countones(loses));
    end
    for (genvar k = 0; k < K; k = k + 1) begin : g_next
      for (genvar h = 0; h < K; h = h + 1) begin : g_from_held
        logic [InBits+OutBits:0] own, picked;  // of entry h, of the entries up to h
        assign own = (g_held[h].place == PlaceBits'(k)) ?
            {g_held[h].valid_now, g_held[h].value_q, g_held[h].label_q} : '0;
        if (h == 0) begin : g_first
          assign picked = own;
        end else begin : g_next
          assign picked = g_from_held[h-1].picked | own;
        end
      end
      for (genvar b = 0; b < Best; b = b + 1) begin : g_from_new
        logic [InBits+OutBits:0] own, picked;
        assign own = (g_new[b].place == PlaceBits'(k)) ? {1'b1, g_best[b].value_q, g_best[b].label_q} : '0;
        if (b == 0) begin : g_first
          assign picked = own;
        end else begin : g_next
          assign picked = g_from_new[b-1].picked | own;
        end
      end
      always_ff @(posedge clk_i)
        if (valid_q[2])
          {g_held[k].valid_held_q, g_held[k].value_q, g_held[k].label_q} <= g_from_held[K-1].picked | g_from_new[Best-1].picked;
    end
  endgenerate

  logic [K*OutBits-1:0] labels;
  generate
    for (genvar k = 0; k < K; k = k + 1) begin : g_labels
      assign labels[k*OutBits+:OutBits] = g_held[k].label_q;
    end
  endgenerate

  logic [K*OutBits-1:0] result;
  logic result_valid, result_ready;
  credit_fifo #(
      .Width(K * OutBits),
      .Depth(OutDepth)
  ) u_out (
      .clk_i,
      .rst_ni,
      .credit_o(credit),
      .take_i(issue && last),
      .push_i(valid_q[3] && last_q[3]),
      .data_i(labels),
      .out_data_o(result),
      .out_valid_o(result_valid),
      .out_ready_i(result_ready)
  );

  generate
    if (K > 1) begin : g_serial
      width_converter #(
          .InWidth (K * OutBits),
          .OutWidth(OutBits)
      ) u_serial (
          .clk_i,
          .rst_ni,
          .in_data_i(result),
          .in_valid_i(result_valid),
          .in_ready_o(result_ready),
          .out_data_o,
          .out_valid_o,
          .out_ready_i
      );
    end else begin : g_single
      assign out_data_o = result;
      assign out_valid_o = result_valid;
      assign result_ready = out_ready_i;
    end
  endgenerate
  logic unused_bits;
  assign unused_bits = ^{first_q[3], last_q[2:0]};
endmodule
