// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Weights, thresholds and accumulators as plain numbers, for references that know nothing of folds.

#ifndef FINN_TESTS_MATRICES_HPP
#define FINN_TESTS_MATRICES_HPP

#include <cstddef>
#include <vector>

#include <finn/weights.hpp>

#include "harness.hpp"

namespace finn {
namespace test {

// Terms rows of a column per output, in C order.
struct Matrix {
  unsigned terms;
  unsigned outputs;
  std::vector<long long> numbers;

  long long at(unsigned term, unsigned output) const { return numbers.at(std::size_t{term} * outputs + output); }
};

template <typename T>
Matrix random_matrix(unsigned terms, unsigned outputs) {
  return {terms, outputs, random_numbers<T>(std::size_t{terms} * outputs, 7)};
}

// A number as T holds it: modulo 2^width.
template <typename T>
long long wrapped(long long value) {
  constexpr long long Values = 1LL << Element<T>::width;
  const long long rest = ((value % Values) + Values) % Values;
  return Element<T>::is_signed && rest >= Values / 2 ? rest - Values : rest;
}

// The weights as the units use them: SIMD terms of PE outputs at a time, terms first.
template <typename T, unsigned Terms, unsigned Outputs, unsigned SIMD, unsigned PE>
Weights<T, Terms / SIMD * Outputs / PE, PE, SIMD> tiled(const Matrix &w) {
  Weights<T, Terms / SIMD * Outputs / PE, PE, SIMD> result;
  for (unsigned term = 0; term < Terms; term++) {
    for (unsigned output = 0; output < Outputs; output++) {
      auto &tile = result.tile[output / PE * (Terms / SIMD) + term / SIMD];
      tile.lane[output % PE][term % SIMD] = T(w.at(term, output));
    }
  }
  return result;
}

// The same tiles as beats, for each of `vectors`.
template <typename T, unsigned Tiles, unsigned PE, unsigned SIMD>
std::vector<Beat<T, PE * SIMD>> beats_of(const Weights<T, Tiles, PE, SIMD> &weights, unsigned vectors) {
  std::vector<Beat<T, PE * SIMD>> result;
  for (unsigned vector = 0; vector < vectors; vector++) {
    for (const auto &tile : weights.tile) {
      Beat<T, PE * SIMD> beat;
      for (unsigned lane = 0; lane < PE * SIMD; lane++) beat.lane[lane] = tile.lane[lane / SIMD][lane % SIMD];
      result.push_back(beat);
    }
  }
  return result;
}

// The number of thresholds that a value reaches.
inline long long reached(long long value, const std::vector<long long> &thresholds) {
  long long count = 0;
  for (const long long threshold : thresholds) {
    if (value >= threshold) count++;
  }
  return count;
}

}  // namespace test
}  // namespace finn

#endif
