// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// NumPy's broadcasting, element by element: frames of 2 by 3 by 4 elements, and operands that have 1 in some axes.

#ifndef FINN_TESTS_BROADCAST_HPP
#define FINN_TESTS_BROADCAST_HPP

#include <cstddef>
#include <vector>

namespace finn {
namespace test {

// The elements of an operand in each of its axes.
struct Shape {
  std::size_t rows, columns, channels;
  std::size_t size() const { return rows * columns * channels; }
};
constexpr Shape Frame = {2, 3, 4};

// An operand of several frames as each element of the frames meets it.
inline std::vector<long long> broadcast(const std::vector<long long> &operand, Shape shape) {
  std::vector<long long> result;
  for (std::size_t frame = 0; frame < operand.size(); frame += shape.size()) {
    for (std::size_t row = 0; row < Frame.rows; row++) {
      for (std::size_t column = 0; column < Frame.columns; column++) {
        for (std::size_t channel = 0; channel < Frame.channels; channel++) {
          const std::size_t own = (row % shape.rows * shape.columns + column % shape.columns) * shape.channels;
          result.push_back(operand[frame + own + channel % shape.channels]);
        }
      }
    }
  }
  return result;
}

}  // namespace test
}  // namespace finn

#endif
