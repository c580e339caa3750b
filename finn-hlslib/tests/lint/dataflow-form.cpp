// bad
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
  int n = 0; /*!*/
  first(in, middle);
  second(middle);            /*!*/
  n++;                       /*!*/
  if (n) third(middle, out); /*!*/
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
  constexpr int N = 0;
  static_assert(N == 0, "");
  first(in, middle);
  third(middle, out);
}

// bad
#include <hls_stream.h>
using Stream = hls::stream<int>;
void first(Stream &in, int &out) { out = in.read(); }
void third(int in, Stream &out) { out.write(in); }
template <typename Types>
void region(Stream &in, Stream &out) {
#pragma HLS dataflow
  typename Types::Channel middle; /*!*/
  first(in, middle);
  third(middle, out);
}
struct Integers {
  using Channel = int;
};
void top(Stream &in, Stream &out) { region<Integers>(in, out); }

// good
#include <hls_stream.h>
using Stream = hls::stream<int>;
void first(Stream &in, Stream &out) { out.write(in.read()); }
template <typename Types>
void region(Stream &in, Stream &out) {
#pragma HLS dataflow
  typename Types::Channel middle("middle");
#pragma HLS stream variable = middle depth = 4
  first(in, middle);
  first(middle, out);
}
struct Streams {
  using Channel = Stream;
};
void top(Stream &in, Stream &out) { region<Streams>(in, out); }
