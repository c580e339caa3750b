// bad
#include <ap_int.h>
#include <hls_stream.h>
#include <finn/stream.hpp>
using Wide = ap_uint<5000>;                          /*!*/
void f(hls::stream<ap_uint<4104>> &a,                /*!*/
       hls::stream<finn::Beat<ap_uint<8>, 513>> &b) { /*!*/
  a.write(ap_uint<4104>(b.read().lane[0]));
}

// good
#include <ap_int.h>
#include <hls_stream.h>
#include <finn/stream.hpp>
void f(hls::stream<ap_uint<4096>> &a, hls::stream<finn::Beat<ap_uint<8>, 512>> &b) {
  a.write(ap_uint<4096>(b.read().lane[0]));
}

// bad
#include <ap_int.h>
#include <hls_stream.h>
template <typename T, int Lanes>
struct Adder {
  ap_uint<Lanes * T::width> word; /*!*/
  void add() { word = 0; }
};
void f() {
  static Adder<ap_uint<8>, 600> adder;
  adder.add();
}

// good
#include <ap_int.h>
#include <hls_stream.h>
template <typename T, int Lanes>
struct Adder {
  ap_uint<Lanes * T::width> word;
  void add() { word = 0; }
};
void f() {
  static Adder<ap_uint<8>, 60> adder;
  adder.add();
}
