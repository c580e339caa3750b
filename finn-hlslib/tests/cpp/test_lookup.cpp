// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause

#include <doctest/doctest.h>

#include <finn/lookup.hpp>

#include "harness.hpp"

using namespace finn::test;
using finn::Beat;
using finn::Bipolar;

namespace {

template <unsigned Lanes, unsigned Rows, unsigned Count, int First, typename I, typename T>
struct Config {
  static constexpr unsigned PE = Lanes, Embeds = Rows > 0 ? 1 : 0, Entries = Count, Folds = Rows > 0 ? Rows : 1;
  static constexpr int Offset = First;
  using Index = I;
  using Output = T;
};

std::size_t clamped(long long index, std::size_t entries) {
  if (index < 0) return 0;
  return index < static_cast<long long>(entries) ? static_cast<std::size_t>(index) : entries - 1;
}

// Elements, PE of them per beat.
template <typename In, typename Index, typename Out, unsigned Entries, unsigned PE, int Offset>
void check_elements() {
  const auto values = random_numbers<Out>(Entries, 2);
  finn::LookupTable<Out, Entries, 1, 1> table;
  for (unsigned k = 0; k < Entries; k++) table.at[k][0][0] = Out(values[k]);
  const auto x = random_numbers<In>(std::size_t{6} * 4 * PE);
  std::vector<long long> expected;
  for (const long long index : x) expected.push_back(values[clamped(index + Offset, Entries)]);
  using Kernel = finn::Lookup<Config<PE, 0, Entries, Offset, Index, Out>>;
  const auto y = through<Beat<Out, PE>>(Kernel(), beats<In, PE>(x), table);
  CHECK(y.numbers == expected);
  CHECK(interval(y.cycles, 4) == 4);
}

// Rows of Folds beats.
template <typename In, typename Index, typename Out, unsigned Entries, unsigned Folds, unsigned PE, int Offset>
void check_rows() {
  constexpr unsigned Row = Folds * PE;
  const auto values = random_numbers<Out>(Entries * Row, 2);
  finn::LookupTable<Out, Entries, Folds, PE> table;
  for (unsigned k = 0; k < Entries * Row; k++) table.at[k / Row][k % Row / PE][k % PE] = Out(values[k]);
  const auto x = random_numbers<In>(6 * 4);
  std::vector<long long> expected;
  for (const long long index : x) {
    const auto row = values.begin() + static_cast<std::ptrdiff_t>(clamped(index + Offset, Entries) * Row);
    expected.insert(expected.end(), row, row + Row);
  }
  using Kernel = finn::Lookup<Config<PE, Folds, Entries, Offset, Index, Out>>;
  const auto y = through<Beat<Out, PE>>(Kernel(), beats<In, 1>(x), table);
  CHECK(y.numbers == expected);
  CHECK(interval(y.cycles, 4 * Folds) == 4 * Folds);
}

}  // namespace

TEST_CASE("an element for each index") {
  check_elements<ap_uint<4>, ap_int<6>, ap_int<7>, 16, 1, 0>();
  check_elements<ap_uint<4>, ap_int<6>, ap_uint<62>, 16, 3, 0>();
  check_elements<ap_int<4>, ap_int<6>, Bipolar, 16, 2, 8>();
}

TEST_CASE("indices below the first entry and above the last") {
  check_elements<ap_uint<5>, ap_int<7>, ap_int<7>, 10, 2, 0>();
  check_elements<ap_int<5>, ap_int<7>, ap_int<7>, 10, 2, 5>();
  check_elements<ap_int<5>, ap_int<7>, ap_int<7>, 10, 2, -3>();
  check_elements<ap_int<32>, ap_int<33>, ap_int<7>, 10, 1, -100>();
  check_elements<ap_uint<3>, ap_int<5>, ap_int<7>, 1, 1, 0>();
}

TEST_CASE("bipolar indices") { check_elements<Bipolar, ap_int<3>, ap_int<7>, 3, 2, 1>(); }

TEST_CASE("a row for each index, beat by beat") {
  check_rows<ap_uint<3>, ap_int<5>, ap_int<7>, 8, 1, 4, 0>();
  check_rows<ap_uint<3>, ap_int<5>, ap_int<7>, 8, 4, 1, 0>();
  check_rows<ap_int<4>, ap_int<6>, ap_int<7>, 11, 3, 2, 4>();
}
