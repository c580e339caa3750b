// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// A convolution as C++ for HLS is often written: streams carry words of many bits, from which lanes are taken by ranges
// that are known at run time. What our kernels are compared with; it compiles against any ap_int.h and hls_stream.h.
//
// 30 x 30 x 64 -> 28 x 28 x 64, kernel 3 x 3, inputs of 2 bits, weights of 2 bits with a sign, 3 thresholds per
// channel; 32 inputs and 32 outputs per cycle.
#include <ap_int.h>
#include <hls_stream.h>

#include <cstdint>
#include <ctime>

namespace {

constexpr int Size = 30, Kernel = 3, Out = Size - Kernel + 1, Channels = 64, Bits = 2, Lanes = 32, Steps = 3;
constexpr int Folds = Channels / Lanes;               // of a pixel, at input and output
constexpr int WindowFolds = Kernel * Kernel * Folds;  // of a window
constexpr int Tiles = WindowFolds * Folds;
using Word = ap_uint<Lanes * Bits>;
using Sum = ap_int<16>;

void windows(hls::stream<Word> &in, hls::stream<Word> &out) {
  static Word rows[Kernel + 1][Size * Folds];
  int held = 0;
  for (int y = 0; y < Out; y++) {
    for (; held < y + Kernel; held++) {
      for (int k = 0; k < Size * Folds; k++) rows[held % (Kernel + 1)][k] = in.read();
    }
    for (int x = 0; x < Out; x++) {
      for (int ky = 0; ky < Kernel; ky++) {
        for (int k = 0; k < Kernel * Folds; k++) out.write(rows[(y + ky) % (Kernel + 1)][x * Folds + k]);
      }
    }
  }
}

void multiply(hls::stream<Word> &in, hls::stream<Word> &out, const Word weights[Lanes][Tiles],
              const Sum thresholds[Lanes][Folds][Steps]) {
  static Word held[WindowFolds];
  Sum sums[Lanes];
  for (int pixel = 0; pixel < Out * Out; pixel++) {
    for (int tile = 0; tile < Tiles; tile++) {
      const int output = tile / WindowFolds;
      const int input = tile % WindowFolds;
      if (output == 0) held[input] = in.read();
      const Word x = held[input];
      for (int pe = 0; pe < Lanes; pe++) {
        if (input == 0) sums[pe] = 0;
        const Word row = weights[pe][tile];
        for (int lane = 0; lane < Lanes; lane++) {
          const ap_uint<Bits> value = x.range((lane + 1) * Bits - 1, lane * Bits);
          const ap_int<Bits> weight = row.range((lane + 1) * Bits - 1, lane * Bits);
          sums[pe] += value * weight;
        }
      }
      if (input < WindowFolds - 1) continue;
      Word results = 0;
      for (int pe = 0; pe < Lanes; pe++) {
        ap_uint<Bits> count = 0;
        for (int step = 0; step < Steps; step++) count += sums[pe] >= thresholds[pe][output][step] ? 1 : 0;
        results.range((pe + 1) * Bits - 1, pe * Bits) = count;
      }
      out.write(results);
    }
  }
}

Word packed(const int8_t *values) {
  Word word = 0;
  for (int lane = 0; lane < Lanes; lane++) {
    const ap_uint<Bits> bits = values[lane];
    word.range((lane + 1) * Bits - 1, lane * Bits) = bits;
  }
  return word;
}

}  // namespace

// CPU seconds of `frames` frames. x, y : (frames, rows, columns, channels). weights : (tiles, lanes of the output,
// lanes of the input). thresholds : (channels, steps).
extern "C" double convolution(const int8_t *x, const int8_t *weights, const int16_t *thresholds, int8_t *y,
                              int64_t frames) {
  static Word table[Lanes][Tiles];
  static Sum limits[Lanes][Folds][Steps];
  for (int tile = 0; tile < Tiles; tile++) {
    for (int pe = 0; pe < Lanes; pe++) table[pe][tile] = packed(&weights[(tile * Lanes + pe) * Lanes]);
  }
  for (int channel = 0; channel < Channels; channel++) {
    for (int step = 0; step < Steps; step++) {
      limits[channel % Lanes][channel / Lanes][step] = thresholds[channel * Steps + step];
    }
  }
  hls::stream<Word> in, window, out;
  double seconds = 0;
  for (int64_t frame = 0; frame < frames; frame++) {
    for (int k = 0; k < Size * Size * Folds; k++, x += Lanes) in.write(packed(x));
    const std::clock_t start = std::clock();
    windows(in, window);
    multiply(window, out, table, limits);
    seconds += static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    for (int k = 0; k < Out * Out * Folds; k++) {
      const Word word = out.read();
      for (int lane = 0; lane < Lanes; lane++) {
        const ap_uint<Bits> value = word.range((lane + 1) * Bits - 1, lane * Bits);
        *y++ = static_cast<int8_t>(value.to_int());
      }
    }
  }
  return seconds;
}
