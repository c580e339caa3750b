// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Sums of products.

#ifndef FINN_DOT_HPP
#define FINN_DOT_HPP

#include <finn/types.hpp>

namespace finn {

// The sum of x[i] * w[i], exact.
template <typename X, typename W, unsigned N>
typename SumOfProducts<X, W, N>::Type dot(const X (&x)[N], const W (&w)[N]) {
  FINN_HLS(inline)
  using Sum = typename SumOfProducts<X, W, N>::Type;
  Sum sum = 0;
  for (unsigned i = 0; i < N; i++) {
    FINN_HLS(unroll)
    sum += number(x[i]) * number(w[i]);
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
