// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// FMPadding: pixels of one value around an image.

#ifndef FINN_FM_PADDING_HPP
#define FINN_FM_PADDING_HPP

#include <finn/raster.hpp>

namespace finn {

// Pixel (i + FirstRow, j + FirstColumn) of the output is pixel (i, j) of the input; all others are Value, in all lanes.
//
// A beat that goes out takes a cycle.
//
// \tparam Config  as of Raster, of the image that goes out, both strides being 1; SIMD, channels per beat; Value; the
//                 type Element
template <typename Config>
class FMPadding : public PixelInsert<Config> {};

}  // namespace finn

#endif
