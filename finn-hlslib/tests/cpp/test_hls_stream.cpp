// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause

#include <ap_axi_sdata.h>
#include <doctest/doctest.h>
#include <hls_stream.h>

#include <deque>
#include <random>
#include <type_traits>

namespace {

struct Beat {
  ap_int<3> lane[4];
};

void pass(hls::stream<int> &in, hls::stream<int> &out) { out.write(in.read()); }

}  // namespace

TEST_CASE("a stream is first in, first out, however many are in it") {
  hls::stream<int> stream("numbers");
  std::deque<int> expected;
  std::mt19937 random(1);
  for (int i = 0; i < 20000; i++) {
    // Mostly filled in the first half, mostly emptied in the second.
    if (random() % 4 < (i < 10000 ? 3 : 1)) {
      stream.write(i);
      expected.push_back(i);
    } else if (!expected.empty()) {
      REQUIRE(stream.read() == expected.front());
      expected.pop_front();
    }
    REQUIRE(stream.size() == expected.size());
    REQUIRE(stream.empty() == expected.empty());
    REQUIRE_FALSE(stream.full());
  }
}

TEST_CASE("every way to read and write") {
  hls::stream<ap_int<5>> stream;
  ap_int<5> number = 0;
  CHECK_FALSE(stream.read_nb(number));
  stream << 3;
  stream.write(-4);
  CHECK(stream.write_nb(5));
  stream >> number;
  CHECK(number == 3);
  stream.read(number);
  CHECK(number == -4);
  CHECK(stream.read_nb(number));
  CHECK(number == 5);
  CHECK(stream.empty());
}

TEST_CASE("an empty stream cannot be read") {
  hls::stream<int> stream("in0_V");
  CHECK_THROWS_WITH_AS(stream.read(), "read of the empty stream 'in0_V'", std::runtime_error);
  hls::stream<bool> unnamed;
  unnamed.write(true);
  CHECK(unnamed.read());
  CHECK_THROWS_WITH_AS(unnamed.read(), "read of the empty stream 'unnamed'", std::runtime_error);
}

TEST_CASE("a depth changes nothing") {
  hls::stream<int, 2> in("in");
  hls::stream<int> out("out");
  for (int i = 0; i < 5; i++) in.write(i);
  CHECK_FALSE(in.full());
  pass(in, out);
  CHECK(out.read() == 0);
  CHECK(in.size() == 4);
}

TEST_CASE("streams cannot be copied") {
  CHECK_FALSE(std::is_copy_constructible<hls::stream<int>>::value);
  CHECK_FALSE(std::is_copy_assignable<hls::stream<int, 4>>::value);
}

TEST_CASE("a stream of beats") {
  hls::stream<Beat> stream("beats");
  Beat beat = {};
  beat.lane[3] = -4;
  stream.write(beat);
  CHECK(stream.read().lane[3] == -4);
}

TEST_CASE("AXI4-Stream with side channels") {
  using Full = ap_axis<24, 2, 3, 5>;
  CHECK(std::is_same<decltype(Full::data), ap_int<24>>::value);
  CHECK(std::is_same<decltype(Full::keep), ap_uint<3>>::value);
  CHECK(std::is_same<decltype(Full::strb), ap_uint<3>>::value);
  CHECK(std::is_same<decltype(Full::user), ap_uint<2>>::value);
  CHECK(std::is_same<decltype(Full::last), ap_uint<1>>::value);
  CHECK(std::is_same<decltype(Full::id), ap_uint<3>>::value);
  CHECK(std::is_same<decltype(Full::dest), ap_uint<5>>::value);
  using Plain = ap_axiu<512, 0, 0, 0>;
  CHECK(std::is_same<decltype(Plain::data), ap_uint<512>>::value);
  CHECK(Plain::bytes == 64);
  CHECK(hls::axis<int>::bytes == 4);
  hls::stream<Plain> stream("axis");
  Plain word;
  word.data = 5;
  word.keep = -1;
  word.strb = -1;
  word.last = 1;
  stream.write(word);
  const Plain read = stream.read();
  CHECK(read.data == 5);
  CHECK(read.keep.and_reduce());
  CHECK(read.last == 1);
}
