// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// FMPadding_Pixel: zeros between the pixels of an image, as a transposed convolution needs them.

#ifndef FINN_FM_PADDING_PIXEL_HPP
#define FINN_FM_PADDING_PIXEL_HPP

#include <finn/raster.hpp>

namespace finn {

// The pixels that come in are every so many of those that go out; Value is 0.
//
// \tparam Config  as of PixelInsert
template <typename Config>
class FMPadding_Pixel : public PixelInsert<Config> {};

}  // namespace finn

#endif
