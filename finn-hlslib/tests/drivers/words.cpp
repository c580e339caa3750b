// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// What can be done with numbers of more than 64 bits, for test_sim_headers.py.
//
// Each line of the input has two numbers in hexadecimal and three in decimal: a, b, high, low, count. For each pair of
// types in pairs.inc, which the test writes as PAIR(A, B), the results are printed in hexadecimal in the order of WORDS
// in the test; high, low and count are made smaller than the width of A.

#include <ap_int.h>

#include <algorithm>
#include <iostream>
#include <string>

namespace {

template <typename T>
void print(const T &number) {
  std::cout << ap_int<T::width + 1>(number).to_string(16) << ' ';
}
void print(bool value) { std::cout << (value ? "0x1 " : "0x0 "); }

template <typename A, typename B>
void print_operators(const A &a, const B &b, int count) {
  print(a);
  print(b);
  print(a & b);
  print(a | b);
  print(a ^ b);
  print(~a);
  print(a << count);
  print(a >> count);
  print(a << -count);
  print((a, b));
  print(A(b));
  print(B(a));
  print(ap_uint<64>(a));
  print(a == b);
  print(a == A(a));
  print(a < b);
  print(a <= b);
  print(a > b);
  print(a >= b);
  print(a.and_reduce());
  print(a.or_reduce());
  print(a.xor_reduce());
}

template <typename A, typename B>
void print_parts(const A &a, const B &b, int high, int low) {
  print(ap_uint<A::width>(a.range(high, low)));
  print(ap_int<B::width>(a.range(high, low)));
  print(ap_uint<64>(a(high, low).to_uint64()));
  print(a.range(high, low) == b);
  print(bool(a[low]));
  A c = a;
  c.range(high, low) = b;
  print(c);
  c = a;
  c.range(high, low) = c.range(high - low, 0);
  print(c);
  c = a;
  c[high] = b[low % B::width];
  print(c);
}

template <typename A, typename B>
void print_pair(const std::string &a, const std::string &b, int first, int second, int count) {
  print_operators(A(a.c_str(), 16), B(b.c_str(), 16), count % A::width);
  print_parts(A(a.c_str(), 16), B(b.c_str(), 16), std::max(first % A::width, second % A::width),
              std::min(first % A::width, second % A::width));
}

}  // namespace

int main() {
  std::string a;
  std::string b;
  int first = 0;
  int second = 0;
  int count = 0;
  while (std::cin >> a >> b >> first >> second >> count) {
#define PAIR(A, B) print_pair<A, B>(a, b, first, second, count);
#include "pairs.inc"
  }
}
