// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Digits that training never saw: the network has to answer as its NumPy model does, and is right 347 times of 359.

#include <cstdio>

#include "digits.hpp"
#include "held_out.hpp"

int main() {
  constexpr int Digits = sizeof(labels);
  hls::stream<finn::Word<Pixel, 8>> in("pixels");
  hls::stream<finn::Word<Label, 1>> out("label");
  int wrong = 0;
  int right = 0;
  for (int n = 0; n < Digits; n++) {
    for (int row = 0; row < 8; row++) {
      finn::Beat<Pixel, 8> beat;
      for (int column = 0; column < 8; column++) beat.lane[column] = pixels[n][8 * row + column];
      in.write(finn::pack(beat));
    }
    digits(in, out);
    const int label = static_cast<int>(finn::unpack<Label, 1>(out.read()).lane[0]);
    if (label != answers[n] && wrong++ == 0) std::printf("digit %d: %d instead of %d\n", n, label, answers[n]);
    right += label == labels[n];
  }
  std::printf("%d of %d digits are right; %d answers differ from NumPy's\n", right, Digits, wrong);
  return wrong != 0 || right != 347 || !in.empty() || !out.empty();
}
