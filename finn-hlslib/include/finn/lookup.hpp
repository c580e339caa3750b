// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Lookup: integers are replaced by the entries of a table, or by its rows (an embedding).

#ifndef FINN_LOOKUP_HPP
#define FINN_LOOKUP_HPP

#include <finn/counter.hpp>
#include <finn/stream.hpp>

namespace finn {

// \tparam T        element type
// \tparam Entries  indices are 0 to Entries - 1
// \tparam Folds    beats per index
// \tparam Lanes    elements per beat of a row; 1 if an index means one element
template <typename T, unsigned Entries, unsigned Folds, unsigned Lanes>
struct LookupTable {
  T at[Entries][Folds][Lanes];
};

// y = table[x + Offset]; an index below 0 means the first entry, one above the last entry the last.
//
// Without Embeds an index becomes an element, PE of them per cycle. With Embeds each beat is one index and becomes a
// row, PE elements per cycle.
//
// \tparam Config  PE; Embeds, 0 or 1; Entries and Folds of the table; Offset; the types Index, signed, which holds
//                 x + Offset and all indices, and Output
template <typename Config>
class Lookup {
  using Index = Native<typename Config::Index>;
  using Output = typename Config::Output;
  static_assert(Config::Embeds || Config::Folds == 1, "Folds must be 1 without Embeds: an index becomes an element");
  static constexpr unsigned Asked = Config::Embeds ? 1 : Config::PE;  // indices per beat

 public:
  // One clock cycle.
  //
  // \param in     beats of indices
  // \param out    beats of PE elements
  // \param table  LookupTable
  template <typename In, typename Out, typename Entries>
  void step(In &in, Out &out, const Entries &table) {
    FINN_HLS(inline)
    FINN_HLS(array_partition variable = index_ complete)
    FINN_HLS(array_partition variable = table.at complete dim = 3)
    if (fold_.first()) ask(in.read());
    Beat<Output, Config::PE> y;
    for (unsigned lane = 0; lane < Config::PE; lane++) {
      FINN_HLS(unroll)
      y.lane[lane] = table.at[index_[Config::Embeds ? 0 : lane]][fold_][Config::Embeds ? lane : 0];
    }
    out.write(y);
    fold_.next();
  }

 private:
  template <typename T>
  void ask(const Beat<T, Asked> &x) {
    FINN_HLS(inline)
    for (unsigned lane = 0; lane < Asked; lane++) {
      FINN_HLS(unroll)
      constexpr int Offset = Config::Offset;
      const Index index = Index(Index(number(x.lane[lane])) + Index(Offset));
      const Index last = Index(Config::Entries - 1);
      index_[lane] = static_cast<unsigned>(index < Index(0) ? Index(0) : index > last ? last : index);
    }
  }

  Counter<Config::Folds> fold_;
  unsigned index_[Asked];
};

}  // namespace finn

#endif
