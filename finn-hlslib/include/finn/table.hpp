// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Constants per channel or per index.

#ifndef FINN_TABLE_HPP
#define FINN_TABLE_HPP

#include <finn/types.hpp>

namespace finn {

// Words of a memory; a word has an element for each lane, or one for all of them.
//
// \tparam T      element type
// \tparam Words  depth
// \tparam Lanes  elements per word
template <typename T, unsigned Words, unsigned Lanes>
struct Table {
  using Type = T;
  T at[Words][Lanes];

  // Whether it has as many words as a kernel uses, and what its PE lanes need.
  template <unsigned Used, unsigned PE>
  static constexpr bool fits() {
    return Words == Used && (Lanes == PE || Lanes == 1);
  }
  const T &element(unsigned word, unsigned lane) const {
    FINN_HLS(inline)
    FINN_HLS(array_partition variable = at complete dim = 2)
    return at[word][Lanes > 1 ? lane : 0];
  }
};

}  // namespace finn

#endif
