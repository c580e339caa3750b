// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// FMPadding: pixels of one value around an image.

#ifndef FINN_FM_PADDING_HPP
#define FINN_FM_PADDING_HPP

#include <finn/raster.hpp>

namespace finn {

// The image that comes in is the middle of the one that goes out.
//
// \tparam Config  as of PixelInsert
template <typename Config>
class FMPadding : public PixelInsert<Config> {};

}  // namespace finn

#endif
