// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Element types: integers of any width (ap_int, ap_uint) and bipolar values; what they mean and how they are stored.

#ifndef FINN_TYPES_HPP
#define FINN_TYPES_HPP

#include <ap_int.h>

#include <finn/pragma.hpp>

namespace finn {

// -1 or 1, stored in one bit: -1 as 0.
class Bipolar {
 public:
  static constexpr int width = 1;

  Bipolar() = default;
  // \param value  -1 or 1; in general the sign: what is not positive is -1
  Bipolar(int value) : bit_(value > 0) {}  // not explicit: tables are lists of integers
  ap_uint<1> bit() const { return bit_; }

 private:
  ap_uint<1> bit_;
};

// Whether values of T are below zero, too, and the number of their bits.
template <typename T>
struct Element;

template <int Width>
struct Element<ap_int<Width>> {
  static constexpr int width = Width;
  static constexpr bool is_signed = true;
  using Number = ap_int<Width>;  // what one computes with
};

template <int Width>
struct Element<ap_uint<Width>> {
  static constexpr int width = Width;
  static constexpr bool is_signed = false;
  using Number = ap_uint<Width>;
};

template <>
struct Element<Bipolar> {
  static constexpr int width = 1;
  static constexpr bool is_signed = true;
  using Number = ap_int<2>;
};

// The integer that an element means.
template <typename T>
const T &number(const T &value) {
  return value;  // NOLINT(bugprone-return-const-ref-from-parameter): read in the same expression
}
inline ap_int<2> number(const Bipolar &value) { return ap_int<2>(2 * value.bit() - 1); }

// An element of another type with the same meaning.
template <typename To, typename From>
To converted(const From &value) {
  return To(number(value));
}

// The bits of an element as they stand in a word.
template <int Width>
ap_uint<Width> encode(const ap_int<Width> &value) {
  return ap_uint<Width>(value);
}
template <int Width>
ap_uint<Width> encode(const ap_uint<Width> &value) {
  return value;
}
inline ap_uint<1> encode(const Bipolar &value) { return value.bit(); }

// The element that bits stand for.
template <typename T>
struct Decode {
  static T of(const ap_uint<Element<T>::width> &bits) { return T(bits); }
};
template <>
struct Decode<Bipolar> {
  static Bipolar of(const ap_uint<1> &bits) { return bits != 0 ? 1 : -1; }
};

// Bits that hold 0 to turns - 1; at least one.
constexpr int bits_of(unsigned long long turns) { return turns <= 2 ? 1 : 1 + bits_of((turns + 1) / 2); }

// An integer type of so many bits.
template <int Width, bool Signed>
struct Integer {
  using Type = ap_uint<Width>;
};
template <int Width>
struct Integer<Width, true> {
  using Type = ap_int<Width>;
};

// Holds the numbers of A and of B. Headers of ap_int compare a number that has a sign with one that has none as if both
// had none, as C does; so they become one type first.
template <typename A, typename B>
struct Common {
  static constexpr bool is_signed = Element<A>::is_signed || Element<B>::is_signed;
  static constexpr int width_a = Element<A>::width + (is_signed && !Element<A>::is_signed ? 1 : 0);
  static constexpr int width_b = Element<B>::width + (is_signed && !Element<B>::is_signed ? 1 : 0);
  using Type = typename Integer<(width_a > width_b ? width_a : width_b), is_signed>::Type;
};
template <typename A, typename B>
bool less(const A &a, const B &b) {
  FINN_HLS(inline)
  using T = typename Common<A, B>::Type;
  return T(a) < T(b);
}
template <typename A, typename B>
bool equal(const A &a, const B &b) {
  FINN_HLS(inline)
  using T = typename Common<A, B>::Type;
  return T(a) == T(b);
}

// The width in which to keep a sum that has no more than `exact` bits: in simulation the next of a native integer,
// where nothing has to be cut off. Values are the same.
constexpr int sum_width(int exact) {
#ifdef __SYNTHESIS__
  return exact;
#else
  return exact <= 8 ? 8 : exact <= 16 ? 16 : exact <= 32 ? 32 : 64;
#endif
}

// What holds the numbers of T, in that width.
template <typename T>
using Native = typename Integer<sum_width(Element<T>::width), Element<T>::is_signed>::Type;

// What holds the sum of `Terms` products of A and B.
template <typename A, typename B, unsigned Terms>
struct SumOfProducts {
  using NumberA = typename Element<A>::Number;
  using NumberB = typename Element<B>::Number;
  static constexpr bool is_signed = Element<NumberA>::is_signed || Element<NumberB>::is_signed;
  static constexpr int exact = Element<NumberA>::width + Element<NumberB>::width + (Terms > 1 ? bits_of(Terms) : 0);
  static constexpr int width = sum_width(exact);
  static_assert(exact <= 64,
                "the sum of products has more than 64 bits: use narrower inputs or weights, or a smaller SIMD");
  using Type = typename Integer<width, is_signed>::Type;
};

}  // namespace finn

#endif
