// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause

#include <doctest/doctest.h>

#include <finn/functions.hpp>

#include "harness.hpp"

using finn::Bipolar;
using finn::Element;
using finn::Ordered;

namespace {

using Output = ap_int<64>;

// Every value of a narrow type.
template <typename T>
std::vector<long long> all_values() {
  if (std::is_same<T, Bipolar>::value) return {-1, 1};
  const long long count = 1LL << Element<T>::width;
  std::vector<long long> result(static_cast<std::size_t>(count));
  for (long long k = 0; k < count; k++) result[static_cast<std::size_t>(k)] = Element<T>::is_signed ? k - count / 2 : k;
  return result;
}

// Whether the function is that of `expected` for all pairs of values, in both orders.
template <typename Function, typename A, typename B, typename Expected>
bool agrees(Expected expected) {
  for (const long long a : all_values<A>()) {
    for (const long long b : all_values<B>()) {
      const auto y = Ordered<Function, false>::template of<Output>(A(a), B(b));
      const auto swapped = Ordered<Function, true>::template of<Output>(B(b), A(a));
      if (y != expected(a, b) || swapped != expected(a, b)) {
        MESSAGE(a << " and " << b << " give " << y << " and " << swapped << ", not " << expected(a, b));
        return false;
      }
    }
  }
  return true;
}

template <typename Function, typename Expected>
void check(Expected expected) {
  CHECK(agrees<Function, ap_int<4>, ap_int<4>>(expected));
  CHECK(agrees<Function, ap_int<3>, ap_uint<4>>(expected));
  CHECK(agrees<Function, ap_uint<4>, ap_int<2>>(expected));
  CHECK(agrees<Function, ap_uint<3>, ap_uint<5>>(expected));
  CHECK(agrees<Function, Bipolar, ap_int<3>>(expected));
  CHECK(agrees<Function, ap_uint<1>, Bipolar>(expected));
}

// Of distances.
template <typename Function, typename Expected>
void check_shift(Expected expected) {
  CHECK(agrees<Function, ap_int<4>, ap_uint<5>>(expected));
  CHECK(agrees<Function, ap_uint<4>, ap_uint<5>>(expected));
  CHECK(agrees<Function, Bipolar, ap_uint<1>>(expected));
}

}  // namespace

TEST_CASE("arithmetic") {
  check<finn::Add>([](long long a, long long b) { return a + b; });
  check<finn::Sub>([](long long a, long long b) { return a - b; });
  check<finn::Mul>([](long long a, long long b) { return a * b; });
  check<finn::Max>([](long long a, long long b) { return a > b ? a : b; });
  check<finn::Min>([](long long a, long long b) { return a > b ? b : a; });
  check<finn::AbsDiff>([](long long a, long long b) { return a > b ? a - b : b - a; });
}

TEST_CASE("comparisons") {
  check<finn::Equal>([](long long a, long long b) { return a == b; });
  check<finn::Greater>([](long long a, long long b) { return a > b; });
  check<finn::GreaterOrEqual>([](long long a, long long b) { return a >= b; });
  check<finn::Less>([](long long a, long long b) { return a < b; });
  check<finn::LessOrEqual>([](long long a, long long b) { return a <= b; });
}

TEST_CASE("logic: whatever is not 0 is true") {
  check<finn::And>([](long long a, long long b) { return a != 0 && b != 0; });
  check<finn::Or>([](long long a, long long b) { return a != 0 || b != 0; });
  check<finn::Xor>([](long long a, long long b) { return (a != 0) != (b != 0); });
}

TEST_CASE("bits of two's complement, extended by the sign") {
  check<finn::BitwiseAnd>([](long long a, long long b) { return a & b; });
  check<finn::BitwiseOr>([](long long a, long long b) { return a | b; });
  check<finn::BitwiseXor>([](long long a, long long b) { return a ^ b; });
}

TEST_CASE("shifts are multiplications and divisions that round down, by powers of two") {
  check_shift<finn::BitShiftLeft>([](long long a, long long b) { return a * (1LL << b); });
  check_shift<finn::BitShiftRight>([](long long a, long long b) {
    const long long divisor = 1LL << b;
    return a >= 0 ? a / divisor : -((divisor - 1 - a) / divisor);
  });
}

TEST_CASE("results of 62 bits are exact") {
  constexpr long long Most = (1LL << 61) - 1;
  const ap_int<62> most = Most;
  const ap_int<62> least = -Most - 1;
  CHECK(finn::Add::of<ap_int<62>>(most, ap_int<2>(-1)) == Most - 1);
  CHECK(finn::Sub::of<ap_int<62>>(ap_int<2>(-1), most) == -Most - 1);
  CHECK(finn::AbsDiff::of<ap_uint<62>>(most, least) == 2 * Most + 1);
  CHECK(finn::Max::of<ap_int<62>>(most, least) == Most);
  CHECK(finn::Min::of<ap_int<62>>(ap_uint<62>(1), least) == -Most - 1);
  CHECK(finn::BitShiftLeft::of<ap_int<62>>(ap_int<31>(-(1 << 30)), ap_uint<5>(31)) == -Most - 1);
  CHECK(finn::BitShiftRight::of<ap_int<62>>(least, ap_uint<5>(31)) == -(1 << 30));
  // 31 bits by 31 bits.
  CHECK(finn::Mul::of<ap_uint<62>>(ap_uint<31>(0x7FFFFFFF), ap_uint<31>(0x7FFFFFFF)) == 0x7FFFFFFFLL * 0x7FFFFFFFLL);
  CHECK(finn::Less::of<ap_uint<1>>(least, ap_uint<62>(0)) == 1);
}

TEST_CASE("a bipolar result is one") {
  const auto y = finn::Ordered<finn::Mul, false>::of<Bipolar>(Bipolar(-1), Bipolar(-1));
  CHECK(finn::number(y) == 1);
  CHECK(finn::number(finn::Ordered<finn::Mul, true>::of<Bipolar>(Bipolar(1), Bipolar(-1))) == -1);
}
