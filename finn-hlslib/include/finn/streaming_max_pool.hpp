// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// StreamingMaxPool: max pooling with strides as large as the kernel.

#ifndef FINN_STREAMING_MAX_POOL_HPP
#define FINN_STREAMING_MAX_POOL_HPP

#include <finn/tiles.hpp>

namespace finn {

// y[i][j][c] = maximum of x[i TileRows + k][j TileColumns + l][c] over 0 <= k < TileRows, 0 <= l < TileColumns: a
// TilePool with ExtremeOf<true>.
//
// Beats are of PE channels, Folds of them per pixel. An image takes Rows * Columns * Folds cycles.
//
// \tparam Config  as of TilePool
template <typename Config>
class StreamingMaxPool : public TilePool<Config> {};

}  // namespace finn

#endif
