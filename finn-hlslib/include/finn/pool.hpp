// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Pool: windows, as the sliding window sends them depthwise, reduced to a value per channel.

#ifndef FINN_POOL_HPP
#define FINN_POOL_HPP

#include <finn/tiles.hpp>

namespace finn {

// The positions of a window in a row are a tile: Rows windows of Columns = TileColumns positions.
//
// \tparam Config  as of TilePool
template <typename Config>
class Pool : public TilePool<Config> {};

}  // namespace finn

#endif
