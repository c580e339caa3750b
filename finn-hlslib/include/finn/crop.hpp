// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Crop: an image without its borders.

#ifndef FINN_CROP_HPP
#define FINN_CROP_HPP

#include <finn/raster.hpp>

namespace finn {

// The middle of the image goes out.
//
// \tparam Config  as of PixelFilter
template <typename Config>
class Crop : public PixelFilter<Config> {};

}  // namespace finn

#endif
