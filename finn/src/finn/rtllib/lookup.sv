// Words of a table, which a file holds: per lane the one that its index in the input names, or its Folds words in turn.
//
// Clamp = 0: the bits of the input are the index. Clamp = 1: the index is x + Offset, which Low (if CheckLow) and High
// (if CheckHigh), the inputs of the first and the last entry, bound: what is beyond them has the same entry.
// Word {index, fold} is fold `fold` of an entry; the folds of an entry are as far apart as the next power of two asks.
// An input beat has Lanes indices of InBits bits; an output beat has a word of WordBits bits of each. Each lane has a
// memory of its own (file <File>_table.dat). One output beat per cycle; nothing behind the first register stalls.
module lookup #(
    parameter int unsigned Lanes = 1,
    parameter int unsigned InBits = 8,
    parameter bit InSigned = 0,
    parameter int unsigned Entries = 10,
    parameter int unsigned Folds = 3,
    parameter int unsigned WordBits = 4,
    parameter bit Clamp = 1,
    parameter int Offset = 1,
    parameter bit CheckLow = 1,
    parameter bit CheckHigh = 1,
    parameter int unsigned OutDepth = 8,
    parameter RamStyle = "auto",
    parameter File = ""
) (
    input  logic                      clk_i,
    input  logic                      rst_ni,
    input  logic [  Lanes*InBits-1:0] in_data_i,
    input  logic                      in_valid_i,
    output logic                      in_ready_o,
    output logic [Lanes*WordBits-1:0] out_data_o,
    output logic                      out_valid_o,
    input  logic                      out_ready_i
);
  localparam int unsigned IndexBits = (Entries > 1) ? $clog2(Entries) : 1;
  localparam int unsigned FoldBits = (Folds > 1) ? $clog2(Folds) : 1;
  localparam int unsigned Depth = ((Entries - 1) << $clog2(Folds)) + Folds;
  localparam int unsigned AddrBits = (Depth > 1) ? $clog2(Depth) : 1;

  generate
    if (!Clamp && Entries != (1 << InBits)) begin : g_bad_entries
      $error("lookup: without Clamp there has to be an entry for each input");
    end
    if (Clamp && InBits < IndexBits) begin : g_bad_bits
      $error("lookup: with Clamp the input has to have at least as many bits as an index");
    end
  endgenerate

  // One step per output beat; the first fold of an entry takes an input beat.
  logic credit, step, first, last_fold, unused_fold;
  assign in_ready_o = credit & first;
  assign step = credit & (in_valid_i | !first);
  strided_axis #(
      .Size(Folds),
      .First(0),
      .Stride(1),
      .Count(Folds)
  ) u_fold (
      .clk_i,
      .rst_ni,
      .step_i(step),
      .chosen_o(unused_fold),
      .last_o(last_fold)
  );

  logic [2:0] valid_q;  // the address, the memory, the register behind it hold something
  always_ff @(posedge clk_i) valid_q <= rst_ni ? 3'({valid_q, step}) : '0;

  logic [FoldBits-1:0] fold_q;  // of the address
  generate
    if (Folds > 1) begin : g_folds
      logic first_q;
      assign first = first_q;
      always_ff @(posedge clk_i) begin
        if (!rst_ni) first_q <= 1'b1;
        else if (step) first_q <= last_fold;
        if (step) fold_q <= first_q ? '0 : fold_q + 1'b1;
      end
    end else begin : g_one_fold
      logic unused_last;
      assign unused_last = last_fold;
      assign first  = 1'b1;
      assign fold_q = '0;
    end
  endgenerate

  logic [Lanes*WordBits-1:0] words_q;
  generate
    for (genvar l = 0; l < Lanes; l = l + 1) begin : g_lane
      logic [InBits-1:0] x;
      logic [AddrBits-1:0] addr;
      logic [WordBits-1:0] word;
      assign x = in_data_i[l*InBits+:InBits];

      if (Entries > 1) begin : g_index
        logic [IndexBits-1:0] index, index_q;
        if (Clamp) begin : g_clamp
          localparam logic signed [InBits:0] Low = (InBits + 1)'(-Offset);
          localparam logic signed [InBits:0] High = (InBits + 1)'(int'(Entries) - 1 - Offset);
          logic signed [InBits:0] wide;
          assign wide = {InSigned & x[InBits-1], x};
          always_comb begin
            index = IndexBits'(x) + IndexBits'(Offset);
            if (CheckLow && wide < Low) index = '0;
            if (CheckHigh && wide > High) index = IndexBits'(Entries - 1);
          end
        end else begin : g_code
          assign index = x;
        end
        always_ff @(posedge clk_i) if (step && first) index_q <= index;
        if (Folds > 1) begin : g_folded
          assign addr = {index_q, fold_q};
        end else begin : g_whole
          logic unused_fold_q;
          assign unused_fold_q = ^fold_q;
          assign addr = index_q;
        end
      end else begin : g_constant
        logic unused_x;
        assign unused_x = ^x;
        assign addr = fold_q;
      end

      constant_memory #(
          .Width(WordBits),
          .Depth(Depth),
          .RamStyle(RamStyle),
          .File((File == "") ? "" : {File, "_table.dat"})
      ) u_table (
          .clk_i,
          .addr_i(addr),
          .data_o(word)
      );
      always_ff @(posedge clk_i) words_q[l*WordBits+:WordBits] <= word;
    end
  endgenerate

  credit_fifo #(
      .Width(Lanes * WordBits),
      .Depth(OutDepth)
  ) u_out (
      .clk_i,
      .rst_ni,
      .credit_o(credit),
      .take_i(step),
      .push_i(valid_q[2]),
      .data_i(words_q),
      .out_data_o,
      .out_valid_o,
      .out_ready_i
  );
endmodule
