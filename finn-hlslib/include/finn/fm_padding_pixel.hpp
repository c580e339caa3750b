// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// FMPadding_Pixel: zeros between the pixels of an image, as a transposed convolution needs them.

#ifndef FINN_FM_PADDING_PIXEL_HPP
#define FINN_FM_PADDING_PIXEL_HPP

#include <finn/raster.hpp>

namespace finn {

// Pixel (i RowStride, j ColumnStride) of the output is pixel (i, j) of the input; all others are 0.
//
// A transposed convolution is a convolution of such an image (Dumoulin and Visin 2016, arXiv:1603.07285, section 4.2).
// A beat that goes out takes a cycle.
//
// \tparam Config  as of Raster, of the image that goes out, FirstRow and FirstColumn being 0; SIMD, channels per beat;
//                 Value, 0; the type Element
template <typename Config>
class FMPadding_Pixel : public PixelInsert<Config> {};  // NOLINT(readability-identifier-naming): as the layer

}  // namespace finn

#endif
