// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause

#include <doctest/doctest.h>

#include <finn/activation.hpp>
#include <finn/vvau.hpp>

#include "images.hpp"
#include "matrices.hpp"

using namespace finn::test;
using finn::Beat;
using finn::Bipolar;
using finn::PassThrough;

namespace {

template <typename X, typename W, typename Sum, unsigned Positions, unsigned C, unsigned Simd, unsigned Pe,
          typename Y = Sum>
struct Shape {
  static constexpr unsigned Window = Positions, Channels = C, SIMD = Simd, PE = Pe;
  using Input = X;
  using Weight = W;
  using Accumulator = Sum;
  using Output = Y;
};

// Images of 5 by 7, whose windows the kernel gets.
template <typename Kernel, typename Config>
struct Data {
  Images x = random_images<typename Config::Input>(5, 7, Config::Channels);
  Matrix w = random_matrix<typename Config::Weight>(Config::Window, Config::Channels);

  auto inputs() const {
    return beats<typename Config::Input, Config::SIMD * Config::PE>(windows<Kernel, true>(x, Config::PE));
  }
  auto weights() const {
    return tiled<typename Config::Weight, Config::Window, Config::Channels, Config::SIMD, Config::PE>(w);
  }
  // activation(channel, sum) of the depthwise convolution.
  template <typename Activation>
  std::vector<long long> expected(Activation activation) const {
    return drawn(Kernel::rows(5), Kernel::columns(7), Config::Channels,
                 [&](unsigned frame, unsigned i, unsigned j, unsigned channel) {
                   return activation(channel, sum(frame, i * Kernel::sh, j * Kernel::sw, channel));
                 });
  }
  long long sum(unsigned frame, unsigned row, unsigned column, unsigned channel) const {
    long long result = 0;
    for (unsigned k = 0; k < Kernel::kh; k++) {
      for (unsigned l = 0; l < Kernel::kw; l++) {
        result +=
            x.at(frame, row + k * Kernel::dh, column + l * Kernel::dw, channel) * w.at(k * Kernel::kw + l, channel);
      }
    }
    return wrapped<typename Config::Accumulator>(result);
  }
  std::vector<long long> sums() const {
    return expected([](unsigned /*channel*/, long long sum) { return sum; });
  }
};

template <typename Config>
using Result = Beat<typename Config::Output, Config::PE>;

template <typename Kernel, typename Config>
void convolves() {
  const Data<Kernel, Config> data;
  const Outcome y = through<Result<Config>>(finn::VVAU<Config>(), data.inputs(), data.weights(),
                                            PassThrough<typename Config::Output>());
  CHECK(y.numbers == data.sums());
  CHECK(steady(y.cycles, Config::Window / Config::SIMD));
}

using Small = Window<2, 3, 1, 2, 1, 1>;

}  // namespace

TEST_CASE("a VVAU multiplies each channel with its own kernel, in any folding") {
  convolves<Small, Shape<ap_int<3>, ap_int<4>, ap_int<10>, 6, 4, 1, 1>>();
  convolves<Small, Shape<ap_int<3>, ap_int<4>, ap_int<10>, 6, 4, 1, 4>>();
  convolves<Small, Shape<ap_int<3>, ap_int<4>, ap_int<10>, 6, 4, 3, 2>>();
  convolves<Small, Shape<ap_int<3>, ap_int<4>, ap_int<10>, 6, 4, 6, 4>>();
}

TEST_CASE("a VVAU multiplies elements of any type, and keeps sums modulo the range of its accumulator") {
  convolves<Small, Shape<Bipolar, Bipolar, ap_int<4>, 6, 2, 2, 1>>();
  convolves<Window<1, 1, 2, 1, 1, 1>, Shape<ap_uint<4>, Bipolar, ap_int<5>, 1, 3, 1, 3>>();
  convolves<Window<2, 2, 2, 2, 2, 1>, Shape<ap_int<30>, ap_int<30>, ap_int<62>, 4, 2, 4, 1>>();
  convolves<Small, Shape<ap_int<8>, ap_int<8>, ap_uint<6>, 6, 2, 3, 2>>();
}

TEST_CASE("weights come from a stream, all of them for each window") {
  using Config = Shape<ap_int<3>, ap_uint<4>, ap_int<10>, 6, 4, 3, 2>;
  const Data<Small, Config> data;
  any_timing([&](Bench &bench) {
    auto &in = bench.source(data.inputs());
    auto &tiles = bench.source(beats_of(data.weights(), Frames * Small::rows(5) * Small::columns(7)));
    auto &out = bench.sink<Result<Config>>();
    const auto weights = finn::streamed_weights<ap_uint<4>, 2, 3>(tiles);
    const PassThrough<ap_int<10>> activation;
    bench.add(finn::VVAU<Config>(), in, out, weights, activation);
    bench.run();
    CHECK(numbers(out.items) == data.sums());
    CHECK(in.empty());
    CHECK(tiles.empty());
  });
}

TEST_CASE("a VVAU tells whether a channel reaches its threshold") {
  using Config = Shape<ap_int<3>, ap_int<3>, ap_int<9>, 6, 4, 2, 2, Bipolar>;
  const Data<Small, Config> data;
  const std::vector<long long> thresholds = {0, -9, 12, 3};
  const finn::Thresholds<ap_int<5>, Bipolar, 2, 2, 1, 0> activation = {{{{0, -9}}, {{12, 3}}}};
  const auto signs =
      data.expected([&](unsigned channel, long long sum) { return sum >= thresholds[channel] ? 1LL : -1LL; });
  const Outcome y = through<Result<Config>>(finn::VVAU<Config>(), data.inputs(), data.weights(), activation);
  CHECK(y.numbers == signs);
}
