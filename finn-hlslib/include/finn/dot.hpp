// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Sums of products.

#ifndef FINN_DOT_HPP
#define FINN_DOT_HPP

#include <finn/types.hpp>
#include <type_traits>

namespace finn {

// The type in which to compute with a T: in simulation `int`, if results of `Width` bits fit. Processors have
// instructions that multiply and add many bytes at a time, but compilers see a use for them in sums of `int` alone.
#ifdef __SYNTHESIS__
template <typename T, int Width>
using ComputedAs = T;
#else
template <typename T, int Width>
using ComputedAs = std::conditional_t<(Width < 32), int, T>;
#endif

template <int Width, typename T>
ComputedAs<typename Element<T>::Number, Width> computed(const T &value) {
  FINN_HLS(inline)
  return ComputedAs<typename Element<T>::Number, Width>(number(value));
}
// In `int` from the beginning: GCC 12 takes a signed byte that is computed, not loaded, for an unsigned one.
template <int Width>
ComputedAs<ap_int<2>, Width> computed(const Bipolar &value) {
  FINN_HLS(inline)
  using Type = ComputedAs<ap_int<2>, Width>;
  return Type(2 * static_cast<int>(value.bit()) - 1);
}

template <typename T>
struct IsByte : std::false_type {};
template <int Width>
struct IsByte<ap_int<Width>> : std::integral_constant<bool, Width <= 8> {};
template <int Width>
struct IsByte<ap_uint<Width>> : std::integral_constant<bool, Width <= 8> {};

// The type of inputs that many dot products of N factors have in common. In simulation, bytes that meet bytes become 16
// bits wide once for all: products of a signed byte and an unsigned one are summed up by an instruction, others only if
// one factor is known to be of 16 bits. A few bytes are not worth it, and sums must still fit in `int`.
template <typename X, typename W, unsigned N>
struct InCommon {
  static constexpr bool bytes = IsByte<X>::value && IsByte<W>::value;
  static constexpr bool alike = Element<X>::is_signed == Element<W>::is_signed;
  static constexpr bool fit = 16 + Element<W>::width + bits_of(N) < 32;
#ifdef __SYNTHESIS__
  using Type = X;
#else
  using Type = std::conditional_t<bytes && alike && fit && N >= 16, ap_int<16>, X>;
#endif
};

// Every PE-th element of N * PE, from `pe` on.
template <typename T, unsigned N, unsigned PE>
struct Column {
  const T (&lane)[N * PE];
  unsigned pe;

  const T &operator[](unsigned i) const {
    FINN_HLS(inline)
    return lane[i * PE + pe];
  }
};

template <typename X, typename W, unsigned N>
struct Dot {
  using Sum = SumOfProducts<X, W, N>;

  template <typename Xs>
  static typename Sum::Type of(const Xs &x, const W (&w)[N]) {
    FINN_HLS(inline)
    ComputedAs<typename Sum::Type, Sum::exact> sum = 0;
    for (unsigned i = 0; i < N; i++) {
      FINN_HLS(unroll)
      sum += computed<Sum::exact>(x[i]) * computed<Sum::exact>(w[i]);
    }
    return sum;
  }
};

// Of bipolar values, bits that differ are counted (XNOR and population count; Umuroglu et al. 2017, arXiv:1612.07119).
template <unsigned N>
struct Dot<Bipolar, Bipolar, N> {
  template <typename Xs>
  static ap_int<sum_width(bits_of(N + 1) + 1)> of(const Xs &x, const Bipolar (&w)[N]) {
    FINN_HLS(inline)
    // Exclusive or instead of !=: GCC 12 makes wrong code of comparisons that are summed up in bytes.
    ap_uint<sum_width(bits_of(N + 1))> different = 0;
    for (unsigned i = 0; i < N; i++) {
      FINN_HLS(unroll)
      different += x[i].bit() ^ w[i].bit();
    }
    return ap_int<sum_width(bits_of(N + 1) + 1)>(static_cast<int>(N) - 2 * static_cast<int>(different));
  }
};

// The sum of x[i] * w[i], exact.
template <typename X, typename W, unsigned N>
auto dot(const X (&x)[N], const W (&w)[N]) {
  FINN_HLS(inline)
  return Dot<X, W, N>::of(x, w);
}
template <typename X, typename W, unsigned N, unsigned PE>
auto dot(const Column<X, N, PE> &x, const W (&w)[N]) {
  FINN_HLS(inline)
  return Dot<X, W, N>::of(x, w);
}

}  // namespace finn

#endif
