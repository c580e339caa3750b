// bad
#include <ap_int.h>
#include <hls_stream.h>

using Stream = hls::stream<int>;
void first(Stream &in, Stream &out) { out.write(in.read()); }
int second(Stream &in) { return in.read(); }
void third(Stream &in, Stream &out) { out.write(in.read()); }
void top(Stream &in, Stream &out) {
#pragma HLS dataflow
  Stream middle("middle"); /*!*/
  first(in, middle);
  third(middle, out);
}

// good
#include <ap_int.h>
#include <hls_stream.h>

using Stream = hls::stream<int>;
void first(Stream &in, Stream &out) { out.write(in.read()); }
int second(Stream &in) { return in.read(); }
void third(Stream &in, Stream &out) { out.write(in.read()); }
void top(Stream &in, Stream &out) {
#pragma HLS dataflow
  Stream middle("middle");
#pragma HLS stream variable = middle depth = 4
  first(in, middle);
  third(middle, out);
}
