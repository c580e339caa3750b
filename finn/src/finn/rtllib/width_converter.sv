// Regroups a stream of InWidth-bit beats into OutWidth-bit beats, first bits first. Any ratio.
//
// The unit is gcd(InWidth, OutWidth) bits. The wider side sets the rate and never pauses. The state decides alone about
// ready and valid, so no path from an input to an output port is combinational. What is left of a frame that does not fill
// a beat waits for the next frame: the caller chooses widths that divide the frame.
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
  localparam int unsigned In = InWidth / Unit;
  localparam int unsigned Out = OutWidth / Unit;
  // Taking a beat whenever fewer than 2 * Out units are held keeps the slower side busy every cycle.
  localparam int unsigned Capacity = In + 2 * Out - 1;
  localparam int unsigned CountBits = $clog2(Capacity + 1);

  logic [Capacity*Unit-1:0] held_q, shifted;
  logic [CountBits-1:0] count_q, count_d, kept;
  logic take, give, ready_q, valid_q;

  assign in_ready_o  = ready_q;
  assign out_valid_o = valid_q;
  assign out_data_o  = held_q[OutWidth-1:0];
  assign take = in_valid_i & ready_q;
  assign give = valid_q & out_ready_i;
  assign kept = give ? count_q - CountBits'(Out) : count_q;
  assign count_d = take ? kept + CountBits'(In) : kept;
  assign shifted = give ? held_q >> OutWidth : held_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      count_q <= '0;
      ready_q <= 1'b0;
      valid_q <= 1'b0;
    end else begin
      count_q <= count_d;
      ready_q <= count_d <= CountBits'(2 * Out - 1);
      valid_q <= count_d >= CountBits'(Out);
    end
  end

  generate
    for (genvar u = 0; u < Capacity; u = u + 1) begin : g_unit
      // Unit u takes unit u - kept of the input beat, if there is such a one.
      logic [Unit-1:0] inserted[0:In];
      logic [In-1:0] here;
      assign inserted[0] = shifted[u*Unit+:Unit];
      for (genvar i = 0; i < In; i = i + 1) begin : g_from
        if (i <= u && u - i <= 2 * Out - 1) begin : g_can  // only then are so many units held when a beat is taken
          assign here[i] = take && kept == CountBits'(u - i);
        end else begin : g_cannot
          assign here[i] = 1'b0;
        end
        assign inserted[i+1] = here[i] ? in_data_i[i*Unit+:Unit] : inserted[i];
      end
      always_ff @(posedge clk_i) held_q[u*Unit+:Unit] <= inserted[In];
    end
  endgenerate
endmodule
