// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Frames from memory to a stream and back: what a DMA engine with an AXI4 master does.
//
// In memory, beats follow each other without gaps, each in whole bytes, the first bytes first. An engine is a function
// with one call; `frames` becomes a register behind the address, as those of the engines in SystemVerilog are.
//
//   void idma0(const finn::MemoryFrame<Frame>::Word *in0, hls::stream<ap_uint<24>> &out0_V, unsigned frames) {
//     FINN_HLS(interface m_axi port = in0 offset = slave bundle = gmem max_read_burst_length = 64)
//     FINN_HLS(interface s_axilite port = in0 bundle = control)
//     FINN_HLS(interface s_axilite port = frames bundle = control)
//     FINN_HLS(interface s_axilite port = return bundle = control)
//     FINN_HLS(interface axis port = out0_V)
//     finn::mem_to_stream<Frame>(in0, out0_V, frames);
//   }

#ifndef FINN_DMA_HPP
#define FINN_DMA_HPP

#include <finn/stream.hpp>
#include <finn/width_converter.hpp>

namespace finn {

constexpr int greatest_common_divisor(int a, int b) { return b == 0 ? a : greatest_common_divisor(b, a % b); }

// How a frame lies in memory, which is read and written in words that divide both a beat and the port.
//
// \tparam Config  BeatWidth, bits of a beat, whole bytes; Beats, per frame; PortWidth, bits of the memory port
template <typename Config>
struct MemoryFrame {
  static_assert(Config::BeatWidth % 8 == 0, "BeatWidth must be a multiple of 8: beats stand in whole bytes");
  static_assert(Config::PortWidth >= 8 && (Config::PortWidth & (Config::PortWidth - 1)) == 0,
                "PortWidth must be a power of two from 8 on: AXI4 has no other ports");
  static constexpr int WordWidth = greatest_common_divisor(Config::BeatWidth, Config::PortWidth);
  static constexpr unsigned WordsPerBeat = Config::BeatWidth / WordWidth;
  static constexpr unsigned Words = Config::Beats * WordsPerBeat;
  using Word = ap_uint<WordWidth>;
  using WordStream = hls::stream<Word>;
  using BeatStream = hls::stream<ap_uint<Config::BeatWidth>>;

  // Configurations of the width converter.
  struct ToBeats {
    static constexpr unsigned In = 1, Out = WordsPerBeat;
    using Element = Word;
  };
  struct ToWords {
    static constexpr unsigned In = WordsPerBeat, Out = 1;
    using Element = Word;
  };
};

// Memory as it is, in bursts: nothing but this access may stand in the loop.
template <typename Frame>
void read_words(const typename Frame::Word *memory, typename Frame::WordStream &words, unsigned frames) {
  for (unsigned frame = 0; frame < frames; frame++) {
    FINN_HLS(loop_tripcount max = 1000)
    for (unsigned word = 0; word < Frame::Words; word++) {
      FINN_HLS(pipeline II = 1 style = flp)
      words.write(memory[static_cast<unsigned long long>(frame) * Frame::Words + word]);
    }
  }
}
template <typename Frame>
void write_words(typename Frame::WordStream &words, typename Frame::Word *memory, unsigned frames) {
  for (unsigned frame = 0; frame < frames; frame++) {
    FINN_HLS(loop_tripcount max = 1000)
    for (unsigned word = 0; word < Frame::Words; word++) {
      FINN_HLS(pipeline II = 1 style = flp)
      memory[static_cast<unsigned long long>(frame) * Frame::Words + word] = words.read();
    }
  }
}

// Words of one width into words of another, frame by frame.
//
// \tparam Config  of the width converter
// \tparam Steps   per frame
template <typename Config, unsigned Steps, typename In, typename Out>
void convert_frames(In &source, Out &destination, unsigned frames) {
  using Element = typename Config::Element;
  StreamingDataWidthConverter<Config> converter;
  Axis<Element, Config::In> in(source);
  Axis<Element, Config::Out> out(destination);
  for (unsigned frame = 0; frame < frames; frame++) {
    FINN_HLS(loop_tripcount max = 1000)
    for (unsigned step = 0; step < Steps; step++) {
      FINN_HLS(pipeline II = 1 style = flp)
      converter.step(in, out);
    }
  }
}

// So many frames, which follow each other in memory, to a stream. A frame takes as many cycles as it has words, if the
// memory keeps up.
//
// \tparam Config  as of MemoryFrame
template <typename Config>
void mem_to_stream(const typename MemoryFrame<Config>::Word *memory, typename MemoryFrame<Config>::BeatStream &out,
                   unsigned frames) {
  FINN_HLS(dataflow)
  using Frame = MemoryFrame<Config>;
  hls::stream<typename Frame::Word> words("words");
  FINN_HLS(stream variable = words depth = 2)
  read_words<Frame>(memory, words, frames);
  convert_frames<typename Frame::ToBeats, Frame::Words>(words, out, frames);
}

// The inverse.
//
// \tparam Config  as of MemoryFrame
template <typename Config>
void stream_to_mem(typename MemoryFrame<Config>::BeatStream &in, typename MemoryFrame<Config>::Word *memory,
                   unsigned frames) {
  FINN_HLS(dataflow)
  using Frame = MemoryFrame<Config>;
  hls::stream<typename Frame::Word> words("words");
  FINN_HLS(stream variable = words depth = 2)
  convert_frames<typename Frame::ToWords, Frame::Words>(in, words, frames);
  write_words<Frame>(words, memory, frames);
}

}  // namespace finn

#endif
