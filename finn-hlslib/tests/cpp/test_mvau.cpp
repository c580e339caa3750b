// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause

#include <doctest/doctest.h>

#include <finn/activation.hpp>
#include <finn/mvau.hpp>

#include "matrices.hpp"

using namespace finn::test;
using finn::Beat;
using finn::Bipolar;
using finn::PassThrough;

namespace {

constexpr unsigned Vectors = 6;

template <typename X, typename W, typename Sum, unsigned Inputs, unsigned Outputs, unsigned Simd, unsigned Pe,
          typename Y = Sum>
struct Shape {
  static constexpr unsigned MW = Inputs, MH = Outputs, SIMD = Simd, PE = Pe;
  using Input = X;
  using Weight = W;
  using Accumulator = Sum;
  using Output = Y;
};

template <typename Config>
struct Data {
  std::vector<long long> x = random_numbers<typename Config::Input>(Vectors * Config::MW, 3);
  Matrix w = random_matrix<typename Config::Weight>(Config::MW, Config::MH);

  auto inputs() const { return beats<typename Config::Input, Config::SIMD>(x); }
  auto weights() const { return tiled<typename Config::Weight, Config::MW, Config::MH, Config::SIMD, Config::PE>(w); }
  // activation(output, sum) of the products of all vectors.
  template <typename Activation>
  std::vector<long long> expected(Activation activation) const {
    std::vector<long long> result;
    for (unsigned vector = 0; vector < Vectors; vector++) {
      for (unsigned output = 0; output < Config::MH; output++) {
        long long sum = 0;
        for (unsigned i = 0; i < Config::MW; i++) sum += x[vector * Config::MW + i] * w.at(i, output);
        result.push_back(activation(output, wrapped<typename Config::Accumulator>(sum)));
      }
    }
    return result;
  }
  std::vector<long long> sums() const {
    return expected([](unsigned /*output*/, long long sum) { return sum; });
  }
};

template <typename Config>
using Result = Beat<typename Config::Output, Config::PE>;

template <typename Config>
void multiplies() {
  const Data<Config> data;
  const Outcome y = through<Result<Config>>(finn::MVAU<Config>(), data.inputs(), data.weights(),
                                            PassThrough<typename Config::Output>());
  CHECK(y.numbers == data.sums());
  CHECK(steady(y.cycles, Config::MW / Config::SIMD));
}

template <typename Config>
void multiplies_with_a_stream() {
  const Data<Config> data;
  using Weight = typename Config::Weight;
  any_timing([&](Bench &bench) {
    auto &in = bench.source(data.inputs());
    auto &tiles = bench.source(beats_of(data.weights(), Vectors));
    auto &out = bench.template sink<Result<Config>>();
    const auto weights = finn::streamed_weights<Weight, Config::PE, Config::SIMD>(tiles);
    const PassThrough<typename Config::Output> activation;
    bench.add(finn::MVAU<Config>(), in, out, weights, activation);
    bench.run();
    CHECK(numbers(out.items) == data.sums());
    CHECK(in.empty());
    CHECK(tiles.empty());
  });
}

}  // namespace

TEST_CASE("an MVAU multiplies vectors with a matrix, in any folding") {
  multiplies<Shape<ap_int<3>, ap_int<4>, ap_int<10>, 6, 4, 1, 1>>();
  multiplies<Shape<ap_int<3>, ap_int<4>, ap_int<10>, 6, 4, 2, 4>>();
  multiplies<Shape<ap_int<3>, ap_int<4>, ap_int<10>, 6, 4, 6, 2>>();
  multiplies<Shape<ap_int<3>, ap_int<4>, ap_int<10>, 6, 4, 6, 4>>();
}

TEST_CASE("an MVAU multiplies elements of any type") {
  multiplies<Shape<Bipolar, Bipolar, ap_int<6>, 18, 3, 9, 1>>();
  multiplies<Shape<Bipolar, ap_int<5>, ap_int<9>, 9, 2, 3, 2>>();
  multiplies<Shape<ap_uint<4>, Bipolar, ap_int<8>, 8, 2, 4, 1>>();
  multiplies<Shape<ap_uint<2>, ap_uint<3>, ap_uint<10>, 32, 2, 16, 2>>();
  multiplies<Shape<ap_int<31>, ap_uint<28>, ap_int<62>, 4, 2, 2, 2>>();
  multiplies<Shape<ap_int<8>, ap_int<50>, ap_int<62>, 32, 1, 16, 1>>();
}

TEST_CASE("an accumulator that is narrower than the products keeps sums modulo its range") {
  multiplies<Shape<ap_int<8>, ap_int<8>, ap_int<5>, 34, 2, 17, 1>>();
  multiplies<Shape<ap_uint<8>, ap_int<8>, ap_uint<9>, 12, 2, 2, 2>>();
}

TEST_CASE("weights come from a stream, all of them for each vector") {
  multiplies_with_a_stream<Shape<ap_int<3>, ap_int<4>, ap_int<10>, 6, 4, 3, 2>>();
}

TEST_CASE("an MVAU counts the thresholds of each output") {
  using Config = Shape<ap_uint<2>, ap_int<2>, ap_int<6>, 4, 6, 2, 2, ap_int<3>>;
  const Data<Config> data;
  const auto thresholds = random_numbers<ap_int<5>>(6 * 3);
  finn::Thresholds<ap_int<5>, ap_int<3>, 3, 2, 3, -2> activation;
  for (unsigned k = 0; k < thresholds.size(); k++) activation.at[k / 6][k % 3][k / 3 % 2] = thresholds[k];
  const auto counts = data.expected([&](unsigned output, long long sum) {
    const auto own = thresholds.begin() + output * 3;
    return reached(sum, {own, own + 3}) - 2;
  });
  const Outcome y = through<Result<Config>>(finn::MVAU<Config>(), data.inputs(), data.weights(), activation);
  CHECK(y.numbers == counts);
  CHECK(steady(y.cycles, 2));
}
