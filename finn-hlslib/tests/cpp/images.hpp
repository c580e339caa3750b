// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Images as plain arrays, for references that know nothing of streams.

#ifndef FINN_TESTS_IMAGES_HPP
#define FINN_TESTS_IMAGES_HPP

#include <cstddef>
#include <vector>

#include "harness.hpp"

namespace finn {
namespace test {

constexpr unsigned Frames = 6;  // of each test: enough for an interval

// Frames of numbers in C order: frame, row, column, channel.
struct Images {
  unsigned rows;
  unsigned columns;
  unsigned channels;
  std::vector<long long> numbers;

  long long at(unsigned frame, unsigned row, unsigned column, unsigned channel) const {
    return numbers.at(((std::size_t{frame} * rows + row) * columns + column) * channels + channel);
  }
};

template <typename T>
Images random_images(unsigned rows, unsigned columns, unsigned channels) {
  const std::size_t count = std::size_t{Frames} * rows * columns * channels;
  return {rows, columns, channels, random_numbers<T>(count, rows + columns)};
}

// What `pixel(frame, row, column, channel)` says of each element of Frames images.
template <typename Pixel>
std::vector<long long> drawn(unsigned rows, unsigned columns, unsigned channels, Pixel pixel) {
  std::vector<long long> result;
  for (unsigned frame = 0; frame < Frames; frame++) {
    for (unsigned row = 0; row < rows; row++) {
      for (unsigned column = 0; column < columns; column++) {
        for (unsigned channel = 0; channel < channels; channel++) result.push_back(pixel(frame, row, column, channel));
      }
    }
  }
  return result;
}

// The kernel of a convolution, its strides and dilations; and how many windows an image has.
template <unsigned KH, unsigned KW, unsigned SH, unsigned SW, unsigned DH, unsigned DW>
struct Window {
  static constexpr unsigned kh = KH, kw = KW, sh = SH, sw = SW, dh = DH, dw = DW;
  static constexpr unsigned rows(unsigned height) { return (height - (KH - 1) * DH - 1) / SH + 1; }
  static constexpr unsigned columns(unsigned width) { return (width - (KW - 1) * DW - 1) / SW + 1; }
};

// All windows of images, pixel by pixel; or depthwise, SIMD channels of all their pixels and then the next.
template <typename W, bool Depthwise>
std::vector<long long> windows(const Images &x, unsigned simd) {
  const unsigned group = Depthwise ? simd : x.channels;
  std::vector<long long> result;
  const auto window = [&](unsigned frame, unsigned row, unsigned column) {
    for (unsigned first = 0; first < x.channels; first += group) {
      for (unsigned k = 0; k < W::kh; k++) {
        for (unsigned l = 0; l < W::kw; l++) {
          for (unsigned c = first; c < first + group; c++) {
            result.push_back(x.at(frame, row + k * W::dh, column + l * W::dw, c));
          }
        }
      }
    }
  };
  for (unsigned frame = 0; frame < Frames; frame++) {
    for (unsigned i = 0; i < W::rows(x.rows); i++) {
      for (unsigned j = 0; j < W::columns(x.columns); j++) window(frame, i * W::sh, j * W::sw);
    }
  }
  return result;
}

}  // namespace test
}  // namespace finn

#endif
