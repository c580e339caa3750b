// y[p] = Bias + #{t : x[p] >= T[c(p), t]}, by binary search through 2^Stages - 1 ascending thresholds per channel.
//
// Beat f of a vector carries the channels f * PE .. f * PE + PE - 1; the module counts the beats itself (Folds per vector).
// Stage s compares with threshold (i + 1/2) * 2^(Stages - s) - 1, where i is the result of the stages before, so it
// stores Folds * 2^s words per lane: file <File>_threshs_<lane>_<s>.dat, word (f << s) + i.
// Never stalls. Latency: 2 * Stages cycles.
// With Writable = 1 thresholds can be written and read, too: access_addr_i is {f, lane, t}, with as many bits as the last
// of each needs, and access_data_o is what stands there, 2 cycles later.
module threshold_search #(
    parameter int unsigned PE = 1,
    parameter int unsigned Folds = 1,
    parameter int unsigned InBits = 8,
    parameter bit InSigned = 1,  // also the signedness of the thresholds
    parameter int unsigned ThresholdBits = 8,  // >= InBits
    parameter int unsigned Stages = 1,
    parameter int unsigned OutBits = 1,
    parameter int Bias = 0,
    parameter bit Writable = 0,
    parameter RamStyle = "auto",
    parameter File = ""
) (
    input  logic                  clk_i,
    input  logic                  rst_ni,
    input  logic                  valid_i,
    input  logic [ PE*InBits-1:0] x_i,
    output logic                  valid_o,
    output logic [PE*OutBits-1:0] y_o,
    input  logic                  access_write_i,
    input  logic [$clog2(Folds)+$clog2(PE)+Stages-1:0] access_addr_i,
    input  logic [ThresholdBits-1:0] access_data_i,
    output logic [ThresholdBits-1:0] access_data_o
);
  localparam int unsigned FoldBits = (Folds > 1) ? $clog2(Folds) : 1;

  generate
    if (ThresholdBits < InBits || Stages < 1 || Stages > 10 || PE > 10000) begin : g_bad_sizes
      $error("threshold_search: ThresholdBits >= InBits, Stages 1 to 10 and PE up to 10000 (file names have 4 digits)");
    end
  endgenerate

  localparam int unsigned LaneBits = (PE > 1) ? $clog2(PE) : 1;
  logic [FoldBits-1:0] access_fold;
  logic [LaneBits-1:0] access_lane;
  logic [PE*Stages*ThresholdBits-1:0] access_found;  // of each memory what stands at the address, 0 if it is another's
  generate
    if (Folds > 1) begin : g_access_fold
      assign access_fold = access_addr_i[$clog2(PE)+Stages+:FoldBits];
    end else begin : g_access_fold
      assign access_fold = '0;
    end
    if (PE > 1) begin : g_access_lane
      assign access_lane = access_addr_i[Stages+:LaneBits];
    end else begin : g_access_lane
      assign access_lane = '0;
    end
    if (Writable) begin : g_access
      logic [ThresholdBits-1:0] any;
      always_comb begin
        any = '0;
        for (int k = 0; k < PE * Stages; k = k + 1) any = any | access_found[k*ThresholdBits+:ThresholdBits];
      end
      always_ff @(posedge clk_i) access_data_o <= any;
    end else begin : g_access
      logic unused_access;
      assign unused_access = ^{access_write_i, access_addr_i, access_data_i, access_fold, access_lane, access_found};
      assign access_data_o = '0;
    end
  endgenerate

  logic [FoldBits-1:0] fold_q;
  logic [2*Stages-1:0] valid_q;
  assign valid_o = valid_q[2*Stages-1];

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      fold_q  <= '0;
      valid_q <= '0;
    end else begin
      valid_q <= (2 * Stages)'({valid_q, valid_i});
      if (valid_i) fold_q <= (fold_q == FoldBits'(Folds - 1)) ? '0 : fold_q + 1'b1;
    end
  end

  generate
    for (genvar s = 0; s < Stages; s = s + 1) begin : g_fold  // the fold travels with the data; lanes share it
      logic [FoldBits-1:0] fold, read_q, done_q;
      if (s == 0) begin : g_first
        assign fold = fold_q;
      end else begin : g_next
        assign fold = g_fold[s-1].done_q;
      end
      always_ff @(posedge clk_i) begin
        read_q <= fold;
        done_q <= read_q;
      end
      logic unused_fold;
      assign unused_fold = ^{done_q, fold};
    end

    for (genvar p = 0; p < PE; p = p + 1) begin : g_lane
      for (genvar s = 0; s < Stages; s = s + 1) begin : g_stage
        localparam int unsigned Depth = Folds << s;
        localparam int unsigned AddrBits = (Depth > 1) ? $clog2(Depth) : 1;
        logic [AddrBits-1:0] addr;
        logic [ThresholdBits-1:0] threshold;
        logic [InBits-1:0] x, x_read_q, x_done_q;
        logic [s:0] index_q;
        logic reached;
        if (s == 0) begin : g_first
          assign x = x_i[p*InBits+:InBits];
          assign addr = AddrBits'(g_fold[s].fold);
          always_ff @(posedge clk_i) index_q <= reached;
        end else begin : g_next
          logic [s-1:0] index_read_q;
          assign x = g_stage[s-1].x_done_q;
          if (Folds > 1) begin : g_addr
            assign addr = AddrBits'({g_fold[s].fold, g_stage[s-1].index_q});
          end else begin : g_addr
            assign addr = AddrBits'(g_stage[s-1].index_q);
          end
          always_ff @(posedge clk_i) begin
            index_read_q <= g_stage[s-1].index_q;
            index_q <= {index_read_q, reached};
          end
        end
        if (InSigned) begin : g_signed
          logic signed [ThresholdBits-1:0] wide;
          assign wide = ThresholdBits'($signed(x_read_q));
          assign reached = wide >= $signed(threshold);
        end else begin : g_unsigned
          assign reached = ThresholdBits'(x_read_q) >= threshold;
        end
        always_ff @(posedge clk_i) begin
          x_read_q <= x;
          x_done_q <= x_read_q;
        end
        localparam bit [7:0] Thousands = 8'd48 + 8'(p / 1000);
        localparam bit [7:0] Hundreds = 8'd48 + 8'((p / 100) % 10);
        localparam bit [7:0] Tenths = 8'd48 + 8'((p / 10) % 10);
        localparam bit [7:0] Ones = 8'd48 + 8'(p % 10);
        localparam bit [7:0] Stage = 8'd48 + 8'(s);
        localparam FileName = (File == "") ? "" : {File, "_threshs_", Thousands, Hundreds, Tenths, Ones, "_", Stage, ".dat"};
        localparam int unsigned Here = p * Stages + s;
        if (Writable) begin : g_writable
          localparam int unsigned Below = Stages - s;  // bits of t that are the same for all thresholds of this stage
          logic here;
          logic [AddrBits-1:0] access_addr;
          logic [ThresholdBits-1:0] read;
          assign here = access_lane == LaneBits'(p) && access_addr_i[Below-1:0] == Below'(2 ** (Below - 1) - 1);
          assign access_found[Here*ThresholdBits+:ThresholdBits] = here ? read : '0;
          if (s == 0) begin : g_access_first
            assign access_addr = AddrBits'(access_fold);
          end else begin : g_access_next
            if (Folds > 1) begin : g_folds
              assign access_addr = AddrBits'({access_fold, access_addr_i[Stages-1:Below]});
            end else begin : g_folds
              assign access_addr = AddrBits'(access_addr_i[Stages-1:Below]);
            end
          end
          writable_memory #(
              .Width(ThresholdBits),
              .Depth(Depth),
              .RamStyle(RamStyle),
              .File(FileName)
          ) u_thresholds (
              .clk_i,
              .addr_i(addr),
              .data_o(threshold),
              .access_write_i(access_write_i && here),
              .access_addr_i(access_addr),
              .access_data_i,
              .access_data_o(read)
          );
        end else begin : g_constant
          assign access_found[Here*ThresholdBits+:ThresholdBits] = '0;
          constant_memory #(
              .Width(ThresholdBits),
              .Depth(Depth),
              .RamStyle(RamStyle),
              .File(FileName)
          ) u_thresholds (
              .clk_i,
              .addr_i(addr),
              .data_o(threshold)
          );
        end
      end
      assign y_o[p*OutBits+:OutBits] = OutBits'(g_stage[Stages-1].index_q) + OutBits'(Bias);
      logic unused_x;
      assign unused_x = ^g_stage[Stages-1].x_done_q;
    end
  endgenerate
endmodule
