// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// GlobalAccPool: all pixels of an image reduced to one.

#ifndef FINN_GLOBAL_ACC_POOL_HPP
#define FINN_GLOBAL_ACC_POOL_HPP

#include <finn/tiles.hpp>

namespace finn {

// y[c] = reduction of x[p][c] over all pixels p, with SumOf or ExtremeOf.
//
// Beats are of PE channels, Folds of them per pixel. An image takes pixels * Folds cycles; results leave with the beats
// of its last pixel.
//
// \tparam Config  as of TilePool: Rows = TileRows = 1; Columns = TileColumns, pixels; Partial = 0
template <typename Config>
class GlobalAccPool : public TilePool<Config> {};

}  // namespace finn

#endif
