// bad
int f(int x) { return x > 0 ? f(x - 1) : 0; /*!*/ }

// good
template <int N>
struct F {
  static int of() { return N + F<N - 1>::of(); }
};
template <>
struct F<0> {
  static int of() { return 0; }
};
int f() { return F<4>::of(); }

// bad
int g(int x);
int f(int x) { return g(x); /*!*/ }
int g(int x) { return x > 0 ? f(x - 1) : 0; /*!*/ }

// good
int g(int x) { return x; }
int f(int x) { return g(x) + g(x - 1); }

// bad
constexpr int bits(unsigned n) { return n < 2 ? 1 : 1 + bits(n / 2); /*!*/ }
int f(unsigned n) { return bits(n); }

// good
#include <ap_int.h>
#include <hls_stream.h>
constexpr int bits(unsigned n) { return n < 2 ? 1 : 1 + bits(n / 2); }
template <unsigned N>
ap_uint<bits(N)> f(const ap_uint<bits(N)> &x) {
  constexpr int Bits = bits(N);
  const ap_uint<bits(N)> y = x;
  int array[bits(N)] = {};
  array[0] = Bits;
  return ap_uint<bits(N)>(y + array[0]);
}

// bad
template <typename T>
T f(T x) {
  return x > 0 ? f(x - 1) : x; /*!*/
}

// good
template <typename T>
void f(T &) {}
template <typename T, typename U, typename... Others>
void f(T &x, U &, Others &...others) {
  f(x, others...);
}
int g(int a, int b) {
  f(a, b, b, b);
  return a;
}

// bad
struct A {
  template <typename B>
  int f(B &b, int x) {
    return b.g(*this, x); /*!*/
  }
};
struct B {
  int g(A &a, int x) { return x > 0 ? a.f(*this, x - 1) : 0; /*!*/ }
};
int top(A &a, B &b) { return a.f(b, 3); }

// good
struct B {
  int g(int x) { return x; }
};
struct A {
  int f(B &b, int x) { return b.g(x); }
};
int top(A &a, B &b) { return a.f(b, 3); }
