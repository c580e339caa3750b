// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// What ap_int and ap_uint are: their layout, conversions and overloads. Values of operators: test_sim_headers.py.

#include <ap_int.h>
#include <doctest/doctest.h>

#include <cstring>
#include <sstream>
#include <type_traits>
#include <vector>

namespace {

template <typename T, std::size_t Size>
void check_layout() {
  static_assert(sizeof(T) == Size, "arrays are filled from outside");
  static_assert(alignof(T) == (Size < 8 ? Size : 8), "arrays are filled from outside");
  static_assert(std::is_trivial<T>::value, "");
  static_assert(std::is_standard_layout<T>::value, "");
}

template <typename T, typename Native>
void check_copies(std::vector<Native> values) {
  std::vector<T> numbers(values.size());
  std::memcpy(static_cast<void *>(numbers.data()), values.data(), values.size() * sizeof(Native));
  for (std::size_t i = 0; i < values.size(); i++) CHECK(numbers[i] == values[i]);
  for (std::size_t i = 0; i < values.size(); i++) numbers[i] = T(values[values.size() - 1 - i]);
  std::vector<Native> back(values.size());
  std::memcpy(back.data(), numbers.data(), values.size() * sizeof(Native));
  CHECK(back == std::vector<Native>(values.rbegin(), values.rend()));
}

template <typename T>
int width_by_deduction(const T & /*number*/) {
  return -1;
}
template <int Width>
int width_by_deduction(const ap_int<Width> & /*number*/) {
  return Width;
}
template <int Width>
int width_by_deduction(const ap_uint<Width> & /*number*/) {
  return 1000 + Width;
}

enum Color { Red = 3, Blue = 12 };

}  // namespace

TEST_CASE("numbers have the layout of native integers") {
  check_layout<ap_int<1>, 1>();
  check_layout<ap_int<2>, 1>();
  check_layout<ap_uint<8>, 1>();
  check_layout<ap_int<9>, 2>();
  check_layout<ap_uint<16>, 2>();
  check_layout<ap_int<17>, 4>();
  check_layout<ap_uint<33>, 8>();
  check_layout<ap_int<64>, 8>();
  check_layout<ap_uint<65>, 16>();
  check_layout<ap_int<512>, 64>();
}

TEST_CASE("arrays are copied from and to native ones") {
  check_copies<ap_int<2>, std::int8_t>({-2, -1, 0, 1});
  check_copies<ap_uint<3>, std::uint8_t>({0, 3, 7});
  check_copies<ap_int<12>, std::int16_t>({-2048, 2047, -1});
  check_copies<ap_uint<20>, std::uint32_t>({0, 0xfffff});
  check_copies<ap_int<48>, std::int64_t>({-(std::int64_t(1) << 47), 0, (std::int64_t(1) << 47) - 1});
}

TEST_CASE("what is assigned is wrapped") {
  ap_int<4> a = 8;
  CHECK(a == -8);
  a = 0x123u;
  CHECK(a == 3);
  a = ap_uint<4>(15);
  CHECK(a == -1);
  ap_uint<4> b = -1;
  CHECK(b == 15);
  b = a;
  CHECK(b == 15);
  b = ap_int<100>(-3);
  CHECK(b == 13);
  const ap_int<100> c = a;
  CHECK(c == -1);
  const ap_uint<1> d = 2;
  CHECK(d == 0);
  CHECK(ap_int<1>(1) == -1);
  CHECK(ap_uint<4>(true) == 1);
  CHECK(ap_uint<4>(2.9) == 2);
  CHECK(ap_int<4>(-2.9f) == -2);
  CHECK(ap_uint<3>(Blue) == 4);
  CHECK(ap_int<64>(~std::uint64_t(0)) == -1);
}

TEST_CASE("conversion to native integers") {
  const ap_int<5> a = -7;
  const int by_itself = a;
  CHECK(by_itself == -7);
  CHECK(static_cast<int>(ap_uint<5>(31)) == 31);
  CHECK(a.to_int() == -7);
  CHECK(a.to_uint() == 0xfffffff9u);
  CHECK(a.to_int64() == -7);
  CHECK(a.to_uint64() == ~std::uint64_t(6));
  CHECK(a.to_bool());
  CHECK_FALSE(ap_int<5>(0).to_bool());
  CHECK(ap_uint<70>(a).to_uint64() == ~std::uint64_t(6));
  CHECK(ap_int<70>(a).to_int() == -7);
  const int table[] = {5, 6, 7, 8};
  CHECK(table[ap_uint<2>(3)] == 8);
  switch (ap_uint<2>(2)) {
    case 2:
      break;
    default:
      FAIL("the other case was expected");
  }
  CHECK((ap_uint<2>(2) ? 1 : 0) == 1);
  CHECK(!ap_uint<2>(0));
  CHECK((ap_uint<2>(2) && true));
  CHECK(a * 0.5 == -3.5);
  const bool choice = a < 0;
  CHECK((choice ? a : ap_int<5>(3)) == -7);
}

TEST_CASE("results of operators are numbers of the vendor's type") {
  const ap_int<8> a = 3;
  const ap_uint<4> b = 2;
  CHECK(width_by_deduction(a + b) == 9);
  CHECK(width_by_deduction(b + b) == 1005);
  CHECK(width_by_deduction(b - b) == 5);
  CHECK(width_by_deduction(a * b) == 12);
  CHECK(width_by_deduction(a + 1) == 33);
  CHECK(width_by_deduction(1 + b) == 33);
  CHECK(width_by_deduction(b + 1u) == 1033);
  CHECK(width_by_deduction(a + true) == 9);
  CHECK(width_by_deduction(a << 3) == 8);
  CHECK(width_by_deduction((a, b)) == 1012);
  CHECK(width_by_deduction(b & 1) == 32);
  CHECK(decltype(a + b)::width == 9);
  CHECK(decltype(a + b)::length() == 9);
  CHECK(decltype(a + b)::sign_flag);
}

TEST_CASE("comparison of every pair of signs means the values") {
  CHECK(ap_int<4>(-1) < ap_uint<4>(15));
  CHECK(ap_int<4>(-1) != ap_uint<4>(15));
  CHECK(ap_int<64>(-1) < ap_uint<64>(1));
  CHECK(ap_uint<64>(1) > -1);
  CHECK(ap_int<64>(-1) != ~std::uint64_t(0));
  CHECK(-1 < ap_uint<100>(0));
  CHECK(ap_int<100>(-1) < ap_uint<100>(0));
  CHECK(ap_int<100>(-5) < -4);
}

TEST_CASE("constants are computed by the compiler") {
  constexpr ap_int<8> Sum = ap_int<4>(7) + ap_int<4>(7) * ap_int<4>(-8);
  static_assert(Sum == -49, "");
  static_assert((ap_uint<8>(0xa5) & 0xf) == 5, "");
  static_assert((ap_int<8>(-128) >> 3) == -16, "");
  static_assert(ap_uint<8>(0xa5).range(7, 4) == 0xa, "");
  static_assert((ap_uint<4>(9), ap_uint<4>(6)) == 0x96, "");
  static_assert((ap_uint<100>(3) << 80 >> 80) == 3, "");
  static_assert(-ap_uint<3>(7) == -7, "");
  static_assert(~ap_uint<3>(2) == 5, "");
  CHECK(Sum == -49);
}

TEST_CASE("results of more than 64 bits can be cast to fewer") {
  const ap_int<64> a = std::int64_t(1) << 62;
  CHECK(ap_int<64>(a + a) == -0x7fffffffffffffff - 1);
  CHECK(ap_uint<8>(a * a + 3) == 3);
  CHECK(ap_int<64>(-(a + a) - 1) == 0x7fffffffffffffff);
  ap_int<64> sum = 1;
  sum += a * 4;
  CHECK(sum == 1);
  sum -= 2;
  CHECK(sum == -1);
  sum /= -1;
  CHECK(sum == 1);
  ap_int<64> smallest = a + a;
  smallest /= ap_int<2>(-1);
  CHECK(smallest < 0);
  CHECK(ap_int<32>(-1 - 0x7fffffff) % -1 == 0);
  CHECK(ap_int<32>(-1 - 0x7fffffff) / -1 == std::int64_t(1) << 31);
}

TEST_CASE("increments") {
  ap_uint<3> a = 7;
  CHECK(a++ == 7);
  CHECK(a == 0);
  CHECK(--a == 7);
  CHECK(a-- == 7);
  CHECK(++a == 7);
  (a = 3) += 2;
  CHECK(a == 5);
}

TEST_CASE("a range is read and written in place") {
  ap_uint<16> a = 0x1234;
  CHECK(a.range(11, 4) == 0x23);
  CHECK(a(15, 12) == 1);
  CHECK(a.range(11, 4).length() == 8);
  CHECK(a.range(11, 4) + 1 == 0x24);
  a.range(7, 4) = 0xff;
  CHECK(a == 0x12f4);
  a(3, 0) = a(15, 12);
  CHECK(a == 0x12f1);
  a.range(15, 8) = a.range(11, 4);
  CHECK(a == 0x2ff1);
  const ap_uint<16> &constant = a;
  a.range(7, 0) = constant.range(15, 8);
  CHECK(a == 0x2f2f);
  a.range(3, 0) = ap_int<2>(-1);
  CHECK(a == 0x2f2f);
  ap_int<8> b = 0;
  b.range(7, 7) = 1;
  CHECK(b == -128);
  const ap_uint<4> c = b.range(7, 4);
  CHECK(c == 8);
  const ap_int<4> d = b.range(7, 4);
  CHECK(d == -8);
  CHECK(b.range(7, 4).to_int() == 8);
  CHECK(b.range(7, 4).to_uint64() == 8);
}

TEST_CASE("ranges of one wide number may overlap") {
  const ap_uint<192> start("0x123456789abcdef0fedcba98765432100f1e2d3c4b5a6978", 16);
  ap_uint<192> up = start;
  up.range(191, 32) = up.range(159, 0);
  CHECK(up == ((start << 32) | start.range(31, 0)));
  const ap_uint<192> &constant = up;
  up = start;
  up.range(191, 32) = constant.range(159, 0);
  CHECK(up == ((start << 32) | start.range(31, 0)));
}

TEST_CASE("a bit is read and written in place") {
  ap_int<4> a = 5;
  CHECK(a[0]);
  CHECK_FALSE(a[1]);
  a[3] = true;
  CHECK(a == -3);
  a[0] = a[1];
  CHECK(a == -4);
  ap_uint<100> b = 0;
  b[99] = 1;
  CHECK((b >> 99) == 1);
  const ap_uint<100> &c = b;
  CHECK(c[99]);
  a[1] = c[99];
  CHECK(a == -2);
}

TEST_CASE("reductions") {
  CHECK(ap_int<5>(-1).and_reduce());
  CHECK(ap_uint<5>(31).and_reduce());
  CHECK_FALSE(ap_uint<5>(30).and_reduce());
  CHECK(ap_uint<5>(16).or_reduce());
  CHECK_FALSE(ap_uint<5>(0).or_reduce());
  CHECK(ap_int<5>(-1).xor_reduce());
  CHECK_FALSE(ap_uint<5>(3).xor_reduce());
  CHECK(ap_int<101>(-1).and_reduce());
  CHECK(ap_int<101>(-1).xor_reduce());
  CHECK((ap_uint<101>(1) << 100).or_reduce());
  CHECK_FALSE(ap_uint<101>(0).or_reduce());
}

TEST_CASE("text") {
  std::ostringstream stream;
  stream << ap_int<4>(-3) << ' ' << ap_uint<8>(65) << ' ' << (ap_uint<70>(1) << 69);
  CHECK(stream.str() == "-3 65 590295810358705651712");
  CHECK(ap_int<8>(-5).to_string() == "0b11111011");
  CHECK(ap_int<8>(-5).to_string(8) == "-0o5");
  CHECK(ap_int<8>(-5).to_string(10) == "-5");
  CHECK(ap_uint<8>(200).to_string(16) == "0xc8");
  CHECK(ap_uint<8>(0).to_string(10) == "0");
  CHECK(ap_uint<70>("0x2000000000000000ff", 16).range(7, 0) == 0xff);
  CHECK(ap_int<70>("-12345678901234567890").to_string(10) == "-12345678901234567890");
  CHECK(ap_int<8>("1f", 16) == 0x1f);
  CHECK(ap_int<8>("0b101", 2) == 5);
  CHECK_THROWS_WITH(ap_int<8>("12a"), "'12a' has the digit 'a', which radix 10 does not know");
  CHECK_THROWS_WITH(ap_int<8>("-"), "'-' has no digits");
  CHECK_THROWS_WITH(ap_int<8>("1", 7), "radix 7: 2, 8, 10 and 16 are known");
  CHECK_THROWS_WITH(ap_int<8>(1).to_string(3), "radix 3: 2, 8, 10 and 16 are known");
}
