// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Pool: windows, as the sliding window sends them depthwise, reduced to a value per channel.

#ifndef FINN_POOL_HPP
#define FINN_POOL_HPP

#include <finn/tiles.hpp>

namespace finn {

// y[c] = reduction of x[k][c] over the positions k of a window, with SumOf or ExtremeOf.
//
// Beats are of a position of PE channels each; all positions of these come before the next channels. For a TilePool,
// the window of these channels is a row of the image, and a tile: a result leaves after each Columns cycles.
//
// \tparam Config  as of TilePool: Folds = 1; Rows, windows times Channels / PE; TileRows = 1; Columns = TileColumns,
//                 positions; Partial = 0
template <typename Config>
class Pool : public TilePool<Config> {};

}  // namespace finn

#endif
