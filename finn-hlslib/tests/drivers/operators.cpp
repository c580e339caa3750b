// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// What operators give for pairs of numbers, for test_sim_headers.py: operators INPUT OUTPUT
//
// INPUT and OUTPUT are files of 64-bit integers. For each pair of types in pairs.inc, which the test writes as
// PAIR(A, B), INPUT has the number of pairs of operands and then the operands; OUTPUT gets width and sign of each
// operator's result, then the results for each pair of operands, their lowest 64 bits; a divisor of 0 is taken for 1.
// The order is that of OPERATORS in the test. It compiles against the vendor's header as well.

#include <ap_int.h>

#include <cstdint>
#include <cstdio>
#include <type_traits>

namespace {

FILE *input = nullptr;
FILE *output = nullptr;

std::int64_t next_input() {
  std::int64_t number = 0;
  if (std::fread(&number, sizeof(number), 1, input) != 1) std::fputs("INPUT is too short\n", stderr);
  return number;
}
void print(std::int64_t number) { std::fwrite(&number, sizeof(number), 1, output); }

// Width and sign of a type of a result.
template <int Width, bool Signed>
struct TypeIs {
  static constexpr int width = Width;
  static constexpr bool is_signed = Signed;
};
template <typename T>
struct TypeOf : TypeIs<std::is_same<T, bool>::value ? 1 : int{8 * sizeof(T)}, std::is_signed<T>::value> {};
template <int Width>
struct TypeOf<ap_int<Width>> : TypeIs<Width, true> {};
template <int Width>
struct TypeOf<ap_uint<Width>> : TypeIs<Width, false> {};
// What only the headers name.
template <template <int, bool> class T, int Width, bool Signed>
struct TypeOf<T<Width, Signed>> : TypeIs<Width, Signed> {};

// Whether results are to be described or computed.
enum class Print { Types, Results };

template <typename T>
void print(Print what, const T &result) {
  if (what == Print::Results) return print(ap_int<64>(result).to_int64());
  print(TypeOf<T>::width);
  print(TypeOf<T>::is_signed ? 1 : 0);
}

template <typename A, typename B>
void print_quotients(Print what, const A &a, const B &divisor, std::true_type /*fits 64 bits*/) {
  const B b = divisor == 0 ? B(1) : divisor;
  print(what, a / b);
  print(what, a % b);
  A c = a;
  c /= b;
  print(what, c);
  c = a;
  c %= b;
  print(what, c);
}
template <typename A, typename B>
void print_quotients(Print /*what*/, const A & /*a*/, const B & /*b*/, std::false_type /*does not*/) {}

template <typename A, typename B>
void print_assignments(Print what, const A &a, const B &b) {
  A c = a;
  c += b;
  print(what, c);
  c = a;
  c -= b;
  print(what, c);
  c = a;
  c *= b;
  print(what, c);
  c = a;
  c &= b;
  print(what, c);
  c = a;
  c |= b;
  print(what, c);
  c = a;
  c ^= b;
  print(what, c);
  c = a;
  c <<= b;
  print(what, c);
  c = a;
  c >>= b;
  print(what, c);
  c = b;
  print(what, c);
}

template <typename A>
void print_unary(Print what, A a) {
  print(what, -a);
  print(what, +a);
  print(what, ~a);
  print(what, !a);
  print(what, a++);
  print(what, a);
  print(what, a--);
  print(what, a);
  print(what, ++a);
  print(what, --a);
  print(what, a.and_reduce());
  print(what, a.or_reduce());
  print(what, a.xor_reduce());
}

template <typename A, typename B>
void print_operators(Print what, const A &a, const B &b) {
  print(what, a + b);
  print(what, a - b);
  print(what, a * b);
  print(what, a & b);
  print(what, a | b);
  print(what, a ^ b);
  print(what, a << b);
  print(what, a >> b);
  print(what, a == b);
  print(what, a != b);
  print(what, a < b);
  print(what, a > b);
  print(what, a <= b);
  print(what, a >= b);
  print(what, b + a);
  print(what, b - a);
  print(what, b * a);
  print(what, b ^ a);
  print(what, b == a);
  print(what, b < a);
  print_quotients(what, a, b, std::integral_constant < bool,
                  TypeOf<decltype(a & b)>::width <= 64 && TypeOf<A>::width<64>());
  print_assignments(what, a, b);
  print_unary(what, a);
}

template <typename A, typename B>
void print_pair() {
  print_operators(Print::Types, A(1), B(1));
  const std::int64_t pairs = next_input();
  for (std::int64_t i = 0; i < pairs; i++) {
    const A a = static_cast<A>(next_input());
    const B b = static_cast<B>(next_input());
    print_operators(Print::Results, a, b);
  }
}

}  // namespace

int main(int /*count*/, char **arguments) {
  input = std::fopen(arguments[1], "rb");
  output = std::fopen(arguments[2], "wb");
#define PAIR(A, B) print_pair<A, B>();
#include "pairs.inc"
  return std::fclose(input) + std::fclose(output);
}
