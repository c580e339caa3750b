// bad
#include <ap_int.h>
#include <hls_stream.h>
constexpr int bits(int n) { return n - 1; }
template <int N>
int f() {
  const ap_uint<bits(N)> *x = nullptr; /*!*/
  return x == nullptr;
}
int g() { return f<1>(); }

// good
#include <ap_int.h>
#include <hls_stream.h>
constexpr int bits(int n) { return n > 2 ? n - 1 : 1; }
template <int N>
int f() {
  const ap_uint<bits(N)> x = 1;
  return x == 1;
}
int g() { return f<1>(); }
