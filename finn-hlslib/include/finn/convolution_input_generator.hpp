// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// ConvolutionInputGenerator: all windows of an image, row by row.

#ifndef FINN_CONVOLUTION_INPUT_GENERATOR_HPP
#define FINN_CONVOLUTION_INPUT_GENERATOR_HPP

#include <finn/reader.hpp>
#include <finn/stream.hpp>

namespace finn {

// Window (i, j) has the pixels (i sy + k dy, j sx + l dx), for kernel positions (k, l), strides s and dilations d.
//
// They are the rows of the matrix that turns a convolution into a product of matrices (Chellapilla, Puri and Simard
// 2006, "High Performance Convolutional Neural Networks for Document Processing"), made on the way from one layer to
// the next as by the sliding window unit of FINN (Umuroglu et al. 2017, doi:10.1145/3020078.3021744). Beats of a window
// follow in C order of (k, l, fold), or depthwise of (fold, k, l), where a fold is SIMD channels. Which of them it is,
// and every shape, is a matter of the loops.
//
// A frame takes as many cycles as it has beats on the side with more of them, and longer only if the ring is so small
// that what comes has to wait for the last windows of the frame before.
//
// \tparam Config  SIMD, channels per beat; Depth, words of the ring, at least those from the first to the last of a
//                 window; the Lists Turns and Steps, of the Nest in a window, and Windows and Moves, of the Nest over
//                 windows; the type Element
template <typename Config>
class ConvolutionInputGenerator : public Reader<Beat<typename Config::Element, Config::SIMD>, Config::Depth,
                                                Nest<typename Config::Turns, typename Config::Steps>,
                                                Nest<typename Config::Windows, typename Config::Moves>> {};

}  // namespace finn

#endif
