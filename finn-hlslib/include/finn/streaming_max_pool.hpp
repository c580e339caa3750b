// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// StreamingMaxPool: max pooling with strides as large as the kernel.

#ifndef FINN_STREAMING_MAX_POOL_HPP
#define FINN_STREAMING_MAX_POOL_HPP

#include <finn/tiles.hpp>

namespace finn {

// The maximum of each tile of an image, per channel; with ExtremeOf<true>.
//
// \tparam Config  as of TilePool
template <typename Config>
class StreamingMaxPool : public TilePool<Config> {};

}  // namespace finn

#endif
