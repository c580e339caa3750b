// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// GlobalAccPool: all pixels of an image reduced to one.

#ifndef FINN_GLOBAL_ACC_POOL_HPP
#define FINN_GLOBAL_ACC_POOL_HPP

#include <finn/tiles.hpp>

namespace finn {

// All pixels, in one row of Columns = TileColumns, are one tile.
//
// \tparam Config  as of TilePool
template <typename Config>
class GlobalAccPool : public TilePool<Config> {};

}  // namespace finn

#endif
