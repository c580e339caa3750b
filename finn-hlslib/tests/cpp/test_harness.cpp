// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause

#include <doctest/doctest.h>

#include <set>

#include "harness.hpp"

using namespace finn::test;
using finn::Beat;
using Byte = ap_uint<8>;
using Single = Beat<Byte, 1>;

namespace {

struct Pass {
  template <typename In, typename Out>
  void step(In &in, Out &out) {
    out.write(in.read());
  }
};

// Counts steps in which there was nothing to read: a kernel as it must not be.
struct Impatient {
  unsigned waited = 0;
  template <typename In, typename Out>
  void step(In &in, Out &out) {
    if (in.empty()) {
      waited++;
      return;
    }
    Single beat = in.read();
    if (waited > 20) beat.lane[0] = 0;
    out.write(beat);
  }
};

struct Greedy {
  template <typename In, typename Out>
  void step(In &in, Out &out) {
    in.read();
    out.write(in.read());
  }
};

struct Talkative {
  template <typename In, typename Out>
  void step(In &in, Out &out) {
    const auto beat = in.read();
    out.write(beat);
    out.write(beat);
  }
};

struct Endless {
  template <typename Out>
  void step(Out &out) {
    out.write(Single());
  }
};

// Each third step; the count stays what it was when a step blocks.
struct Third {
  unsigned count = 0;
  template <typename In, typename Out>
  void step(In &in, Out &out) {
    if (++count % 3 == 0) out.write(in.read());
  }
};

}  // namespace

TEST_CASE("beats pass, whatever the timing") {
  const auto x = random_numbers<Byte>(50);
  const Outcome y = through<Single>(Pass(), beats<Byte, 1>(x));
  CHECK(y.numbers == x);
  CHECK(y.cycles.front() == 1);
  CHECK(y.cycles.back() == 50);
  CHECK(interval(y.cycles, 10) == 10);
}

TEST_CASE("a step that blocks leaves the kernel as it was") {
  const auto x = random_numbers<Byte>(20);
  const Outcome y = through<Single>(Third(), beats<Byte, 1>(x));
  CHECK(y.numbers == x);
  CHECK(y.cycles.back() == 60);
  any_timing([&](Bench &bench) {
    auto &in = bench.source(beats<Byte, 1>(x));
    auto &out = bench.sink<Single>();
    const Third &kernel = bench.add(Third(), in, out);
    bench.run();
    CHECK(out.items.size() == 20);
    CHECK(kernel.count == 62);  // the step that would read once more is never done
  });
}

TEST_CASE("a result that depends on the timing is found") {
  const auto x = std::vector<long long>(40, 7);
  CHECK_THROWS_WITH_AS(through<Single>(Impatient(), beats<Byte, 1>(x)),
                       doctest::Contains("the result depends on the timing"), std::logic_error);
}

TEST_CASE("one read and one write per step") {
  const auto x = beats<Byte, 1>(std::vector<long long>(4, 7));
  CHECK_THROWS_WITH_AS(through<Single>(Greedy(), x), "a step has read twice from a stream", std::logic_error);
  CHECK_THROWS_WITH_AS(through<Single>(Talkative(), x), "a step has written twice to a stream", std::logic_error);
}

TEST_CASE("a kernel that writes for ever is found") {
  Bench bench;
  auto &out = bench.sink<Single>();
  bench.add(Endless(), out);
  CHECK_THROWS_WITH_AS(bench.run(), "the bench does not come to rest", std::runtime_error);
}

TEST_CASE("intervals have to be the same") {
  CHECK(interval({3, 9, 13, 17, 21, 25}, 1) == 4);
  CHECK_THROWS_AS(interval({3, 9, 13, 17, 21, 26}, 1), std::logic_error);
  CHECK_THROWS_AS(interval({3, 9, 13, 17}, 1), std::logic_error);
}

TEST_CASE("numbers and beats") {
  const auto x = std::vector<long long>{-4, 3, 0, -1, 2, 1};
  const auto y = beats<ap_int<3>, 2>(x);
  CHECK(y.size() == 3);
  CHECK(y[1].lane[1] == -1);
  CHECK(numbers(y) == x);
  CHECK_THROWS_AS((beats<ap_int<3>, 4>(x)), std::logic_error);
}

TEST_CASE_TEMPLATE("random numbers are those of the type", T, ap_int<1>, ap_int<4>, ap_uint<4>, ap_uint<62>,
                   finn::Bipolar) {
  const auto x = random_numbers<T>(200);
  std::set<long long> found(x.begin(), x.end());
  for (const long long value : found) CHECK(static_cast<long long>(finn::number(T(value))) == value);
  CHECK(found.size() == (finn::Element<T>::width == 1 ? 2 : finn::Element<T>::width == 4 ? 16 : found.size()));
  CHECK(random_numbers<T>(200, 2) != x);
}

TEST_CASE("dice of a fuzzer") {
  const uint8_t bytes[] = {7, 255};
  Dice dice(bytes, 2);
  CHECK(dice.below(4) == 3);
  CHECK(dice.below(16) == 15);
  CHECK(dice.below(16) == 0);
}
