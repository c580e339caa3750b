// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// ap_int<Width> and ap_uint<Width>: integers of any width for simulation, where the vendor's header is not at hand.
//
// Same names, results and widths of results as in Vitis HLS (UG1399, "Arbitrary Precision (AP) Data Types Library
// Reference"). What differs: + - * / % have results of 64 bits at most; comparison is right for every pair of signs; a
// range or a bit of a constant cannot be written; what is concatenated cannot be written; a range needs high >= low.
// Up to 64 bits a number is one native integer, sign- or zero-extended, so that arrays of them can be copied from and
// to arrays of int8_t, ..., uint64_t. Numbers are not initialised by default, as native ones.

#ifndef FINN_SIM_AP_INT_H
#define FINN_SIM_AP_INT_H

#include <string>

#include "operators.h"
#include "text.h"

namespace finn {
namespace light {

// What ap_int and ap_uint have in common.
template <int Width, bool Signed>
class Integer : public std::conditional_t<(Width <= WordBits), Narrow<Width, Signed>, Wide<Width, Signed>> {
  static_assert(Width > 0, "Width must be at least 1: an integer has bits");
  using Base = std::conditional_t<(Width <= WordBits), Narrow<Width, Signed>, Wide<Width, Signed>>;

 public:
  static constexpr int width = Width;
  static constexpr bool sign_flag = Signed;

  Integer() = default;
  constexpr Integer(const Base &base) : Base(base) {}
  template <typename Value>
  constexpr Integer(Exact exact, Value value) : Base(exact, value) {}

  static constexpr int length() { return Width; }

  // The bits high to low, 0 <= low <= high < Width.
  constexpr Range<Integer> range(int high, int low) { return Range<Integer>(*this, high, low); }
  constexpr Range<const Integer> range(int high, int low) const { return Range<const Integer>(*this, high, low); }
  constexpr Range<Integer> operator()(int high, int low) { return range(high, low); }
  constexpr Range<const Integer> operator()(int high, int low) const { return range(high, low); }
  constexpr Bit<Integer> operator[](int index) { return Bit<Integer>(*this, index); }
  constexpr Bit<const Integer> operator[](int index) const { return Bit<const Integer>(*this, index); }

  // The lowest bits of the number, extended by its sign.
  constexpr int to_int() const { return native<int>(*this); }
  constexpr unsigned to_uint() const { return native<unsigned>(*this); }
  constexpr std::int64_t to_int64() const { return native<std::int64_t>(*this); }
  constexpr std::uint64_t to_uint64() const { return native<std::uint64_t>(*this); }
  constexpr bool to_bool() const { return or_reduce(); }

  constexpr bool and_reduce() const {
    for (int low = 0; low < Width; low += WordBits) {
      const int length = smaller(Width - low, WordBits);
      if (this->field(low, length) != ones(length)) return false;
    }
    return true;
  }
  constexpr bool or_reduce() const {
    for (int low = 0; low < Width; low += WordBits) {
      if (this->field(low, smaller(Width - low, WordBits)) != 0) return true;
    }
    return false;
  }
  constexpr bool xor_reduce() const {
    std::uint64_t bits = 0;
    for (int low = 0; low < Width; low += WordBits) bits ^= this->field(low, smaller(Width - low, WordBits));
    for (int half = WordBits / 2; half > 0; half /= 2) bits ^= bits >> half;
    return (bits & 1) != 0;
  }

  // \param radix  2 (all bits, two's complement) or 8, 10, 16 (a sign and digits); 0b, 0o or 0x stands in front
  std::string to_string(int radix = 2) const { return digits_of<Width>(words_of(*this), radix); }
};
template <int Width, bool Signed>
constexpr int Integer<Width, Signed>::width;
template <int Width, bool Signed>
constexpr bool Integer<Width, Signed>::sign_flag;

}  // namespace light
}  // namespace finn

// A signed integer of `Width` bits. What is assigned to it is wrapped.
template <int Width>
class ap_int : public finn::light::Integer<Width, true> {
  using Base = finn::light::Integer<Width, true>;

 public:
  ap_int() = default;
  template <typename T, typename = decltype(finn::light::words_of(std::declval<const T &>()))>
  constexpr ap_int(const T &value) : Base(Base::copy(finn::light::words_of(value))) {}
  template <int W, bool S>
  constexpr ap_int(const finn::light::LowWord<W, S> &value) : Base(Base::copy(finn::light::cut<Width>(value))) {}
  constexpr ap_int(finn::light::Exact exact, finn::light::Native<Width, true> value) : Base(exact, value) {}
  explicit ap_int(const char *text, int radix = 10) : ap_int(finn::light::parse<Width>(text, radix)) {}
};

// An unsigned integer of `Width` bits. What is assigned to it is wrapped.
template <int Width>
class ap_uint : public finn::light::Integer<Width, false> {
  using Base = finn::light::Integer<Width, false>;

 public:
  ap_uint() = default;
  template <typename T, typename = decltype(finn::light::words_of(std::declval<const T &>()))>
  constexpr ap_uint(const T &value) : Base(Base::copy(finn::light::words_of(value))) {}
  template <int W, bool S>
  constexpr ap_uint(const finn::light::LowWord<W, S> &value) : Base(Base::copy(finn::light::cut<Width>(value))) {}
  constexpr ap_uint(finn::light::Exact exact, finn::light::Native<Width, false> value) : Base(exact, value) {}
  explicit ap_uint(const char *text, int radix = 10) : ap_uint(finn::light::parse<Width>(text, radix)) {}
};

// Numbers are printed in decimal.
template <typename Char, typename Traits, int Width, bool Signed>
std::basic_ostream<Char, Traits> &operator<<(std::basic_ostream<Char, Traits> &stream,
                                             const finn::light::Integer<Width, Signed> &number) {
  return stream << number.to_string(10);
}

#endif
