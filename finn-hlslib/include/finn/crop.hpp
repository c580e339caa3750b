// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Crop: an image without its borders.

#ifndef FINN_CROP_HPP
#define FINN_CROP_HPP

#include <finn/raster.hpp>

namespace finn {

// Pixel (i, j) of the output is pixel (i + FirstRow, j + FirstColumn) of the input.
//
// A beat that comes in takes a cycle.
//
// \tparam Config  as of Raster, of the image that comes in; both strides are 1
template <typename Config>
class Crop : public PixelFilter<Config> {};

}  // namespace finn

#endif
