// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// ConvolutionInputGenerator: all windows of an image, row by row.

#ifndef FINN_CONVOLUTION_INPUT_GENERATOR_HPP
#define FINN_CONVOLUTION_INPUT_GENERATOR_HPP

#include <finn/reader.hpp>
#include <finn/stream.hpp>

namespace finn {

// All positions of a window, one beat per cycle, from a ring that holds little more than a window.
//
// In a window the positions follow in C order with all their channels, or depthwise: all positions of SIMD channels,
// then of the next. A frame takes as many cycles as it has beats on the side with more of them; if the ring has no room
// for what comes while the last windows are sent, it takes longer.
//
// \tparam Config  SIMD, channels per beat; Depth, words of the ring; Turns and Steps, of the loops in a window; Windows
// and
//                 Moves, of the loops over windows (see Nest); the type Element
template <typename Config>
class ConvolutionInputGenerator : public Reader<Beat<typename Config::Element, Config::SIMD>, Config::Depth,
                                                Nest<typename Config::Turns, typename Config::Steps>,
                                                Nest<typename Config::Windows, typename Config::Moves>> {};

}  // namespace finn

#endif
