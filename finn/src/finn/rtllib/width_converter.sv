// Regroups a stream of InWidth-bit beats into OutWidth-bit beats, first bits first. Any ratio.
//
// A ring whose size is a multiple of both widths: an input beat always lands on whole slots, an output beat is always a
// whole word, so that each bit has one source and an output bit chooses among Words. The ring holds at least
// InWidth + 2 * OutWidth - 1 bits, which keeps the slower side busy every cycle.
// Ready and valid are registers: no path from an input to an output port is combinational.
// What is left of a frame that does not fill a beat waits for the next frame: the caller chooses widths that divide the
// frame.
module width_converter #(
    parameter int unsigned InWidth  = 8,
    parameter int unsigned OutWidth = 12
) (
    input  logic                clk_i,
    input  logic                rst_ni,
    input  logic [ InWidth-1:0] in_data_i,
    input  logic                in_valid_i,
    output logic                in_ready_o,
    output logic [OutWidth-1:0] out_data_o,
    output logic                out_valid_o,
    input  logic                out_ready_i
);
  function automatic int unsigned gcd(input int unsigned a, input int unsigned b);
    int unsigned x, y, r;
    x = a;
    y = b;
    while (y != 0) begin
      r = x % y;
      x = y;
      y = r;
    end
    gcd = x;
  endfunction

  localparam int unsigned Unit = gcd(InWidth, OutWidth);
  localparam int unsigned In = InWidth / Unit;  // all sizes in units from here on
  localparam int unsigned Out = OutWidth / Unit;
  localparam int unsigned Multiple = In * Out;
  localparam int unsigned Size = Multiple * ((In + 2 * Out - 1 + Multiple - 1) / Multiple);
  localparam int unsigned Slots = Size / In;
  localparam int unsigned Words = Size / Out;
  localparam int unsigned CountBits = $clog2(Size + 2);

  logic [Slots-1:0] slot_q;  // one-hot: where the next input beat goes
  logic [Words-1:0] word_q;  // one-hot: the word on offer
  logic [CountBits-1:0] held_q;
  logic [Size*Unit-1:0] ring;
  logic take, give, ready_q, valid_q;

  assign in_ready_o  = ready_q;
  assign out_valid_o = valid_q;
  assign take = in_valid_i & ready_q;
  assign give = valid_q & out_ready_i;

  // The next state of the flags is compared with the present count, once for each change of it: a comparison after the
  // addition would be the slowest path of a design. Bounds outside 0..Size mean never or always.
  function automatic int unsigned bound(input int units);
    if (units < 0) bound = 0;
    else if (units > int'(Size)) bound = Size + 1;
    else bound = units;
  endfunction
  localparam int Room = int'(Size) - int'(In) + 1;  // ready while fewer units are held
  localparam int Both = int'(In) - int'(Out);

  logic [CountBits-1:0] change;
  logic ready_d, valid_d;
  always_comb begin
    case ({take, give})
      2'b11: begin
        change  = CountBits'(Both);
        ready_d = held_q < CountBits'(bound(Room - Both));
        valid_d = held_q >= CountBits'(bound(int'(Out) - Both));
      end
      2'b10: begin
        change  = CountBits'(In);
        ready_d = held_q < CountBits'(bound(Room - int'(In)));
        valid_d = held_q >= CountBits'(bound(int'(Out) - int'(In)));
      end
      2'b01: begin
        change  = CountBits'(0) - CountBits'(Out);  // Yosys 0.70 takes -N'(x) for (-N)'(x)
        ready_d = held_q < CountBits'(bound(Room + int'(Out)));
        valid_d = held_q >= CountBits'(bound(2 * int'(Out)));
      end
      default: begin
        change  = '0;
        ready_d = held_q < CountBits'(bound(Room));
        valid_d = held_q >= CountBits'(bound(int'(Out)));
      end
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      slot_q  <= Slots'(1);
      word_q  <= Words'(1);
      held_q  <= '0;
      ready_q <= 1'b0;
      valid_q <= 1'b0;
    end else begin
      held_q  <= held_q + change;
      ready_q <= ready_d;
      valid_q <= valid_d;
      if (take) slot_q <= Slots'({slot_q, slot_q[Slots-1]});
      if (give) word_q <= Words'({word_q, word_q[Words-1]});
    end
  end

  generate
    for (genvar s = 0; s < Slots; s = s + 1) begin : g_slot
      logic [InWidth-1:0] beat_q;
      always_ff @(posedge clk_i) if (take && slot_q[s]) beat_q <= in_data_i;
      assign ring[s*InWidth+:InWidth] = beat_q;
    end
    for (genvar w = 0; w < Words; w = w + 1) begin : g_word
      logic [OutWidth-1:0] chosen;
      if (w == 0) begin : g_first
        assign chosen = ring[OutWidth-1:0] & {OutWidth{word_q[0]}};
      end else begin : g_next
        assign chosen = g_word[w-1].chosen | (ring[w*OutWidth+:OutWidth] & {OutWidth{word_q[w]}});
      end
    end
  endgenerate
  assign out_data_o = g_word[Words-1].chosen;

`ifdef FORMAL
  // What makes the contract inductive: the places in the ring and the fill level agree.
  logic started_q = 1'b0;
  int unsigned slot, word, last;
  always_ff @(posedge clk_i) started_q <= 1'b1;
  always_comb begin
    slot = 0;
    word = 0;
    for (int unsigned i = 0; i < Slots; i = i + 1) if (slot_q[i]) slot = i * In;
    for (int unsigned i = 0; i < Words; i = i + 1) if (word_q[i]) word = i * Out;
    last = word + 32'(held_q);
    if (started_q) begin
      assert ($countones(slot_q) == 1 && $countones(word_q) == 1 && 32'(held_q) <= Size);
      assert (slot == ((last >= Size) ? last - Size : last));
      assert (valid_q == (32'(held_q) >= Out));
      assert (!ready_q || 32'(held_q) + In <= Size);
    end
  end
`endif
endmodule
