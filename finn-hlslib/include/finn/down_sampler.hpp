// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// DownSampler: every so many pixels of an image.

#ifndef FINN_DOWN_SAMPLER_HPP
#define FINN_DOWN_SAMPLER_HPP

#include <finn/raster.hpp>

namespace finn {

// Every RowStride-th row and ColumnStride-th column goes out, from the first on.
//
// \tparam Config  as of PixelFilter
template <typename Config>
class DownSampler : public PixelFilter<Config> {};

}  // namespace finn

#endif
