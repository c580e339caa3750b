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

// The sum of x[i] * w[i], exact.
template <typename X, typename W, unsigned N>
typename SumOfProducts<X, W, N>::Type dot(const X (&x)[N], const W (&w)[N]) {
  FINN_HLS(inline)
  using Sum = SumOfProducts<X, W, N>;
  ComputedAs<typename Sum::Type, Sum::exact> sum = 0;
  for (unsigned i = 0; i < N; i++) {
    FINN_HLS(unroll)
    sum += computed<Sum::exact>(x[i]) * computed<Sum::exact>(w[i]);
  }
  return sum;
}

// The same of bipolar values: bits that differ are counted (XNOR and population count; Umuroglu et al. 2017,
// arXiv:1612.07119).
template <unsigned N>
ap_int<sum_width(bits_of(N + 1) + 1)> dot(const Bipolar (&x)[N], const Bipolar (&w)[N]) {
  FINN_HLS(inline)
  // Exclusive or instead of !=: GCC 12 makes wrong code of comparisons that are summed up in bytes.
  ap_uint<sum_width(bits_of(N + 1))> different = 0;
  for (unsigned i = 0; i < N; i++) {
    FINN_HLS(unroll)
    different += x[i].bit() ^ w[i].bit();
  }
  return ap_int<sum_width(bits_of(N + 1) + 1)>(static_cast<int>(N) - 2 * static_cast<int>(different));
}

}  // namespace finn

#endif
