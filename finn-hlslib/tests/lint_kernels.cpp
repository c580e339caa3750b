// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Every kernel in one pipelined function, so that the lint sees instances of all templates of the library.

#include <ap_int.h>
#include <hls_stream.h>

#include <finn/channelwise_op.hpp>
#include <finn/checksum.hpp>
#include <finn/convolution_input_generator.hpp>
#include <finn/crop.hpp>
#include <finn/down_sampler.hpp>
#include <finn/duplicate_streams.hpp>
#include <finn/elementwise.hpp>
#include <finn/fifo.hpp>
#include <finn/fm_padding.hpp>
#include <finn/fm_padding_pixel.hpp>
#include <finn/global_acc_pool.hpp>
#include <finn/label_select.hpp>
#include <finn/lookup.hpp>
#include <finn/mvau.hpp>
#include <finn/packets.hpp>
#include <finn/parallel_window.hpp>
#include <finn/pool.hpp>
#include <finn/requant.hpp>
#include <finn/stream_limiter.hpp>
#include <finn/streaming_concat.hpp>
#include <finn/streaming_max_pool.hpp>
#include <finn/streaming_split.hpp>
#include <finn/thresholding.hpp>
#include <finn/upsample_nearest_neighbour.hpp>
#include <finn/vvau.hpp>
#include <finn/width_converter.hpp>

using T = ap_int<8>;
using Stream = hls::stream<finn::Beat<T, 2>>;

// An image of 4 by 4 pixels of 2 beats, and whatever a kernel wants to know about it.
struct Config {
  static constexpr int SIMD = 2, PE = 2, In = 2, Out = 3;
  static constexpr int MW = 8, MH = 4, Window = 4, Channels = 4;
  static constexpr int Labels = 10, K = 2, Embeds = 0, Entries = 16, Offset = 0;
  static constexpr int Groups = 1, Repeats = 16, Hold = 1, Words = 2, Shift = 3, Low = -8, High = 7;
  static constexpr int ALanes = 2, ARepeats = 1, ABeats = 1, AHold = 1;
  static constexpr int BLanes = 1, BRepeats = 4, BBeats = 2, BHold = 2;
  static constexpr int Folds = 2, Rows = 4, Columns = 4, TileRows = 2, TileColumns = 2, Partial = 1;
  static constexpr int FirstRow = 1, RowStride = 1, ChosenRows = 2, FirstColumn = 1, ColumnStride = 1,
                       ChosenColumns = 2;
  static constexpr int OutRows = 8, OutColumns = 8, Value = 0, Depth = 16;
  static constexpr int Allowed = 3, Total = 4;
  static constexpr int KH = 2, KW = 2, ColumnDelay = 2, RowDelay = 5;
  using Turns = finn::List<2, 2, 2>;
  using Steps = finn::List<1, 1, 5, 0>;
  using Windows = finn::List<3, 3>;
  using Moves = finn::List<2, 4, 8>;
  using Element = T;
  using Input = T;
  using Index = T;
  using AType = T;
  using BType = T;
  using Stored = T;
  using Output = T;
  using Accumulator = ap_int<24>;
  using Sum = ap_int<24>;
};
struct OneFold : Config {
  static constexpr int Folds = 1;
};
struct Counted : Config {
  static constexpr int Beats = 16;
};
struct Channelwise : Config {
  static constexpr int Beats = 2;
};
struct Parts : Config {
  using Beats = finn::List<1, 2>;
};
struct Sums : Config {
  using Output = ap_int<24>;
};

static const finn::Weights<T, 8, 2, 2> weights = {};
static const finn::Weights<T, 4, 2, 2> depthwise_weights = {};
static const finn::Thresholds<ap_int<24>, T, 2, 2, 3, -4> thresholds = {};
static const finn::Table<T, 2, 2> table = {};
static const finn::LookupTable<T, 16, 1, 1> entries = {};

void kernels(Stream &in, Stream &out, hls::stream<finn::Beat<T, 1>> &single, hls::stream<finn::Beat<T, 3>> &three,
             hls::stream<finn::Beat<T, 4>> &four, hls::stream<finn::Beat<T, 8>> &eight,
             hls::stream<finn::Beat<ap_int<24>, 2>> &sums, hls::stream<finn::Word<T, 4>> &words,
             hls::stream<finn::PacketWord<T, 2>> &packets) {
  FINN_HLS(pipeline II = 1 style = flp)
  const finn::PassThrough<ap_int<24>> pass;
  const finn::Add add;
  const finn::Ordered<finn::Mul, true> product;
  const finn::SumOf<2> sum;
  const finn::ExtremeOf<true> largest;
  static finn::MVAU<Config> mvau;
  mvau.step(in, out, weights, thresholds);
  static finn::MVAU<Sums> streamed;
  finn::Axis<T, 4> tiles(words);
  streamed.step(in, sums, finn::streamed_weights<T, 2, 2>(tiles), pass);
  static finn::VVAU<Config> vvau;
  vvau.step(four, out, depthwise_weights, thresholds);
  static finn::Thresholding<Config> thresholding;
  thresholding.step(in, out, thresholds);
  static finn::ChannelwiseOp<Channelwise> channelwise;
  channelwise.step(in, out, product, table);
  static finn::Elementwise<Config> elementwise;
  elementwise.step(in, single, out, add);
  static finn::Requant<Config> requant;
  requant.step(in, out, table, table);
  static finn::Lookup<OneFold> lookup;
  lookup.step(in, out, entries);
  static finn::LabelSelect<Config> labels;
  labels.step(in, single);
  static finn::CheckSum<Counted> checksum;
  checksum.step(in, out);
  static finn::ConvolutionInputGenerator<Config> window;
  window.step(in, out);
  static finn::ParallelWindow<Config> parallel;
  parallel.step(in, eight);
  static finn::Crop<Config> crop;
  crop.step(in, out);
  static finn::DownSampler<Config> sampler;
  sampler.step(in, out);
  static finn::FMPadding<Config> padding;
  padding.step(in, out);
  static finn::FMPadding_Pixel<Config> pixel_padding;
  pixel_padding.step(in, out);
  static finn::UpsampleNearestNeighbour<Config> upsample;
  upsample.step(in, out);
  static finn::Pool<Config> pool;
  pool.step(in, out, sum);
  static finn::StreamingMaxPool<Config> max_pool;
  max_pool.step(in, out, largest);
  static finn::GlobalAccPool<Config> global_pool;
  global_pool.step(in, out, sum);
  static finn::StreamingConcat<Parts> concat;
  concat.step(in, in, out);
  static finn::StreamingSplit<Parts> split;
  split.step(in, out, out);
  static finn::DuplicateStreams<Config> duplicate;
  duplicate.step(in, out, out);
  static finn::TLastMarker<Counted> marker;
  marker.step(in, packets);
  static finn::StreamLimiter<Config> limiter;
  finn::PacketReader<T, 2> reader(packets);
  limiter.step(reader, out);
  static finn::StreamingFIFO<Config> fifo;
  fifo.step(in, out);
  static finn::StreamingDataWidthConverter<Config> converter;
  converter.step(in, three);
}
