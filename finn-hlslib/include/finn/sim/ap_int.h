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
namespace sim {

// What ap_int and ap_uint have in common.
template <int Width, bool Signed>
class Integer : public std::conditional_t<(Width <= WordBits), Narrow<Width, Signed>, Wide<Width, Signed>> {
  static_assert(Width > 0, "Width must be at least 1: an integer has bits");
  using Base = std::conditional_t<(Width <= WordBits), Narrow<Width, Signed>, Wide<Width, Signed>>;

 public:
  static constexpr int width = Width;

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
  constexpr int to_int() const { return static_cast<int>(this->word(0)); }
  constexpr unsigned to_uint() const { return static_cast<unsigned>(this->word(0)); }
  constexpr std::int64_t to_int64() const { return static_cast<std::int64_t>(this->word(0)); }
  constexpr std::uint64_t to_uint64() const { return this->word(0); }
  constexpr bool to_bool() const { return or_reduce(); }

  constexpr bool and_reduce() const {
    for (int low = 0; low < Width; low += WordBits) {
      const int length = smaller(Width - low, WordBits);
      if (this->field(low, length) != ones(length)) return false;
    }
    return true;
  }
  constexpr bool or_reduce() const {
    for (int i = 0; i * WordBits < Width; i++) {
      if (this->word(i) != 0) return true;
    }
    return false;
  }
  constexpr bool xor_reduce() const {
    bool odd = false;
    for (int i = 0; i < Width; i++) odd ^= this->field(i, 1) != 0;
    return odd;
  }

  // \param radix  2 (all bits, two's complement) or 8, 10, 16 (a sign and digits); 0b, 0o or 0x stands in front
  std::string to_string(int radix = 2) const { return digits_of<Width>(*this, radix); }
};
template <int Width, bool Signed>
constexpr int Integer<Width, Signed>::width;

}  // namespace sim
}  // namespace finn

// A signed integer of `Width` bits. What is assigned to it is wrapped.
template <int Width>
class ap_int : public finn::sim::Integer<Width, true> {
  using Base = finn::sim::Integer<Width, true>;

 public:
  ap_int() = default;
  ap_int(const ap_int &) = default;
  ap_int &operator=(const ap_int &) & = default;  // not to what an operator returned
  template <typename T, typename = decltype(finn::sim::words_of(std::declval<const T &>()))>
  constexpr ap_int(const T &value) : Base(Base::copy(finn::sim::words_of(value))) {}
  template <int W, bool S>
  constexpr ap_int(const finn::sim::LowWord<W, S> &value) : Base(Base::copy(finn::sim::cut<Width>(value))) {}
  constexpr ap_int(finn::sim::Exact exact, finn::sim::Native<Width, true> value) : Base(exact, value) {}
  explicit ap_int(const char *text, int radix = 10) : ap_int(finn::sim::parse<Width>(text, radix)) {}
};

// An unsigned integer of `Width` bits. What is assigned to it is wrapped.
template <int Width>
class ap_uint : public finn::sim::Integer<Width, false> {
  using Base = finn::sim::Integer<Width, false>;

 public:
  ap_uint() = default;
  ap_uint(const ap_uint &) = default;
  ap_uint &operator=(const ap_uint &) & = default;  // not to what an operator returned
  template <typename T, typename = decltype(finn::sim::words_of(std::declval<const T &>()))>
  constexpr ap_uint(const T &value) : Base(Base::copy(finn::sim::words_of(value))) {}
  template <int W, bool S>
  constexpr ap_uint(const finn::sim::LowWord<W, S> &value) : Base(Base::copy(finn::sim::cut<Width>(value))) {}
  constexpr ap_uint(finn::sim::Exact exact, finn::sim::Native<Width, false> value) : Base(exact, value) {}
  explicit ap_uint(const char *text, int radix = 10) : ap_uint(finn::sim::parse<Width>(text, radix)) {}
};

// Numbers are printed in decimal.
template <typename Stream, int Width, bool Signed,
          typename = std::enable_if_t<std::is_base_of<std::ios_base, Stream>::value>>
Stream &operator<<(Stream &stream, const finn::sim::Integer<Width, Signed> &number) {
  stream << number.to_string(10);
  return stream;
}

#endif
