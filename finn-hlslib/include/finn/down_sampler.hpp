// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// DownSampler: every so many pixels of an image.

#ifndef FINN_DOWN_SAMPLER_HPP
#define FINN_DOWN_SAMPLER_HPP

#include <finn/raster.hpp>

namespace finn {

// Pixel (i, j) of the output is pixel (i RowStride, j ColumnStride) of the input.
//
// A beat that comes in takes a cycle.
//
// \tparam Config  as of Raster, of the image that comes in; FirstRow and FirstColumn are 0
template <typename Config>
class DownSampler : public PixelFilter<Config> {};

}  // namespace finn

#endif
