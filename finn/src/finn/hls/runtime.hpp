// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// What the generated simulation of a graph is made of: streams between kernels, their tables, and the loop that steps a
// kernel.
#ifndef FINN_HLS_RUNTIME_HPP
#define FINN_HLS_RUNTIME_HPP

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <finn/weights.hpp>
#include <vector>

namespace finn {
namespace sim {

// What may be wrong with a kernel when it has been stepped until it has written what it should; the last counts most.
enum Fault : uint8_t { None, Leaves, Adds, Starves };

// How many beats a stream has carried. A reader gets those below `limit`, and has read `least` when it is done; a
// writer has written `target` then.
struct Port {
  uint64_t head = 0, tail = 0, least = 0, limit = 0, target = 0;
  uint64_t most = 0;     // beats that were in it at once
  bool starved = false;  // somebody has read from it when there was nothing

  void allow(int64_t used, int64_t arrived) {
    least = static_cast<uint64_t>(used);
    limit = static_cast<uint64_t>(arrived);
  }
  void demand(int64_t made) { target = static_cast<uint64_t>(made); }
  Fault read_fault() const { return starved ? Starves : head < least ? Leaves : None; }
  Fault write_fault() const { return tail < target ? Starves : tail > target ? Adds : None; }
};

// A stream of beats: a ring that grows, so that the time at which a beat may pass is somebody else's business.
template <typename Beat>
class Stream : public Port {
 public:
  bool empty() const { return head == limit; }
  Beat read() {
    if (head == limit) {
      starved = true;
      return Beat();
    }
    return beats_[head++ & mask_];
  }
  void write(const Beat &beat) {
    if (tail - head > mask_) grow(1);
    beats_[tail++ & mask_] = beat;
    if (tail - head > most) most = tail - head;
  }
  // `count` beats from, or to, memory: lane after lane, beat after beat.
  void fill(const void *from, uint64_t count) {
    if (tail + count - head > mask_ + 1) grow(tail + count - head);
    const char *next = static_cast<const char *>(from);
    for (uint64_t k = 0; k < count; ++k, next += sizeof(Beat)) std::memcpy(&beats_[tail++ & mask_], next, sizeof(Beat));
  }
  void drain(void *to, uint64_t count) {
    char *next = static_cast<char *>(to);
    for (uint64_t k = 0; k < count; ++k, next += sizeof(Beat)) std::memcpy(next, &beats_[head++ & mask_], sizeof(Beat));
  }

 private:
  [[gnu::noinline]] void grow(uint64_t least) {
    uint64_t size = 2 * (mask_ + 1);
    while (size < least) size *= 2;
    std::vector<Beat> larger(size);
    for (uint64_t k = head; k != tail; ++k) larger[k & (size - 1)] = beats_[k & mask_];
    beats_.swap(larger);
    mask_ = size - 1;
  }

  std::vector<Beat> beats_ = std::vector<Beat>(16);
  uint64_t mask_ = 15;
};

// The same beats again and again.
template <typename Beat, uint64_t Count>
class Repeated {
 public:
  explicit Repeated(const Beat *beats) : beats_(beats) {}
  bool empty() const { return false; }
  Beat read() {
    const Beat &beat = beats_[next_];
    next_ = next_ + 1 == Count ? 0 : next_ + 1;
    return beat;
  }

 private:
  const Beat *beats_;
  uint64_t next_ = 0;
};

// A table from memory, as a kernel uses it.
template <typename T>
class Table {
 public:
  explicit Table(const void *from) : table_(static_cast<const T *>(from)) {}
  const T &get() const { return *table_; }

 private:
  const T *table_;
};

// N bipolar values as bits, 64 to a word.
template <unsigned N>
struct Bits {
  static constexpr unsigned words = (N + 63) / 64;
  uint64_t word[words] = {};

  explicit Bits(const Bipolar (&values)[N]) {
    static_assert(sizeof(Bipolar) == 1, "of each bipolar value its bit is in a byte of its own");
    for (unsigned k = 0; k < N; k += 8) {
      uint64_t bytes = 0;
      std::memcpy(&bytes, &values[k], N - k < 8 ? N - k : 8);
      word[k / 64] |= (bytes * 0x0102040810204080) >> 56U << (k % 64);  // bit 0 of byte i becomes bit 56 + i
    }
  }
};

// The weights of one cycle, also as bits.
template <unsigned PE, unsigned SIMD>
struct BitTile {
  const Bipolar (&lane)[PE][SIMD];
  const Tile<Bipolar, PE, SIMD> &tile;
  const Bits<SIMD> *bits;
};
template <typename X, unsigned PE, unsigned SIMD>
auto products(const X (&x)[SIMD], const BitTile<PE, SIMD> &weights) {
  return finn::products(x, weights.tile);
}
template <unsigned PE, unsigned SIMD>
Beat<ap_int<32>, PE> products(const Bipolar (&x)[SIMD], const BitTile<PE, SIMD> &weights) {
  const Bits<SIMD> bits(x);
  Beat<ap_int<32>, PE> sums;
  for (unsigned pe = 0; pe < PE; ++pe) {
    int different = 0;
    for (unsigned k = 0; k < Bits<SIMD>::words; ++k) {
      different += __builtin_popcountll(bits.word[k] ^ weights.bits[pe].word[k]);
    }
    sums.lane[pe] = static_cast<int>(SIMD) - 2 * different;
  }
  return sums;
}

template <unsigned Tiles, unsigned PE, unsigned SIMD>
class Table<Weights<Bipolar, Tiles, PE, SIMD>> {
  using From = Weights<Bipolar, Tiles, PE, SIMD>;

 public:
  explicit Table(const void *from) : table_(static_cast<const From *>(from)) {
    bits_.reserve(Tiles * PE);
    for (const auto &tile : table_->tile) {
      for (const auto &row : tile.lane) bits_.emplace_back(row);
    }
  }
  const Table &get() const { return *this; }
  BitTile<PE, SIMD> fetch(unsigned address) const {
    const Tile<Bipolar, PE, SIMD> &tile = table_->tile[address];
    return {tile.lane, tile, &bits_[address * PE]};
  }

 private:
  const From *table_;
  std::vector<Bits<SIMD>> bits_;
};

inline bool written() { return true; }
template <typename... Others>
bool written(const Port &out, const Others &...others) {
  return out.tail >= out.target && written(others...);
}

// Step until all outputs have what they are to have, or for `most` steps. Returns the number of steps.
template <typename Step, typename... Outs>
uint64_t drive(uint64_t most, Step step, const Outs &...outs) {
  uint64_t count = 0;
  for (; !written(outs...) && count < most; ++count) step();
  return count;
}

}  // namespace sim
}  // namespace finn

#endif
