// Words of 32 bits for a memory of wider lines: the layout of FINN's images of weights and thresholds.
//
// A line of Width bits takes 2^SubBits words, the least significant first, SubBits = ceil(log2(Width / 32)). Words are kept
// until the last one of a line is written; then the line is. Words that are read come from the memory.
// Requests {write, address of the word, data} are answered one at a time, a write with a word of no meaning.
// line_data_i is what the memory holds at line_addr_o, Delay cycles later.
module line_access #(
    parameter int unsigned Width = 40,
    parameter int unsigned LineBits = 4,  // of the address of a line
    parameter int unsigned RequestBits = LineBits + ((Width > 32) ? $clog2((Width + 31) / 32) : 0) + 33,
    parameter int unsigned Delay = 1
) (
    input  logic                   clk_i,
    input  logic                   rst_ni,
    input  logic [RequestBits-1:0] request_data_i,
    input  logic                   request_valid_i,
    output logic                   request_ready_o,
    output logic [           31:0] reply_data_o,
    output logic                   reply_valid_o,
    input  logic                   reply_ready_i,
    output logic                   line_write_o,
    output logic [   LineBits-1:0] line_addr_o,
    output logic [      Width-1:0] line_data_o,
    input  logic [      Width-1:0] line_data_i
);
  localparam int unsigned SubBits = (Width > 32) ? $clog2((Width + 31) / 32) : 0;
  localparam int unsigned Padded = 32 << SubBits;
  generate
    if (RequestBits != LineBits + SubBits + 33 || Delay < 1) begin : g_bad_width
      $error("line_access: RequestBits has to be LineBits + ceil(log2(Width / 32)) + 33");
    end
  endgenerate

  logic ready_q, taken, write_q, commit_q, valid_q;
  logic [LineBits+SubBits-1:0] address_q;
  logic [31:0] data_q, reply_q;
  logic [Delay:0] way_q;  // cycles since the request was taken
  assign request_ready_o = ready_q;
  assign reply_valid_o = valid_q;
  assign reply_data_o = reply_q;
  assign taken = request_valid_i & ready_q;

  logic last;
  logic [Padded-1:0] words, found;
  logic [31:0] chosen;
  assign found = Padded'(line_data_i);
  assign line_addr_o = address_q[SubBits+:LineBits];
  assign line_write_o = commit_q;
  assign line_data_o = words[Width-1:0];
  generate
    if (SubBits == 0) begin : g_word
      assign words = data_q;
      assign last = 1'b1;
      assign chosen = found;
    end else begin : g_words
      logic [Padded-1:0] words_q;
      assign words = words_q;
      assign last = &address_q[SubBits-1:0];
      assign chosen = found[32*address_q[SubBits-1:0]+:32];
      always_ff @(posedge clk_i) if (way_q[0] && write_q) words_q[32*address_q[SubBits-1:0]+:32] <= data_q;
    end
    if (Padded > Width) begin : g_unused
      logic unused_words;
      assign unused_words = ^words[Padded-1:Width];
    end
  endgenerate

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      ready_q  <= 1'b0;
      way_q    <= '0;
      commit_q <= 1'b0;
      valid_q  <= 1'b0;
    end else begin
      ready_q  <= !taken && (ready_q || !(|way_q || valid_q) || (valid_q && reply_ready_i));
      way_q    <= (Delay + 1)'({way_q, taken});
      commit_q <= way_q[0] && write_q && last;
      valid_q  <= way_q[Delay] || (valid_q && !reply_ready_i);
    end
    if (taken) {write_q, address_q, data_q} <= request_data_i;
    if (way_q[Delay]) reply_q <= chosen;
  end
endmodule
