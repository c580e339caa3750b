// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// hls::stream for simulation, where the vendor's header is not at hand (UG1399, "HLS Stream Library").
//
// A stream holds any number of elements and is never full. What differs from the vendor's: reading an empty stream is
// an error, not a warning and a value made up.

#ifndef FINN_SIM_HLS_STREAM_H
#define FINN_SIM_HLS_STREAM_H

#include <cstddef>
#include <stdexcept>
#include <string>
#include <vector>

namespace finn {
namespace light {

// A first-in first-out queue that grows: a ring whose capacity is a power of two, doubled when it is full.
template <typename T>
class Ring {
 public:
  std::size_t size() const { return count_; }

  void push(const T &item) {
    if (count_ == items_.size()) grow();
    items_[(first_ + count_++) & (items_.size() - 1)] = item;
  }
  // The first item, which is no longer in the queue; there must be one.
  T pop() {
    const std::size_t at = first_;
    first_ = (first_ + 1) & (items_.size() - 1);
    count_--;
    return std::move(items_[at]);
  }

 private:
  void grow() {
    std::vector<T> items(items_.empty() ? 16 : 2 * items_.size());
    for (std::size_t i = 0; i < count_; i++) items[i] = std::move(items_[(first_ + i) & (items_.size() - 1)]);
    items_.swap(items);
    first_ = 0;
  }

  std::vector<T> items_;
  std::size_t first_ = 0;
  std::size_t count_ = 0;
};

}  // namespace light
}  // namespace finn

namespace hls {

template <typename T, int Depth = 0>
class stream;

// \tparam T  type of the elements; it has a default constructor
template <typename T>
class stream<T, 0> {
 public:
  stream() : stream("unnamed") {}
  // \param name  for messages
  explicit stream(const char *name) : name_(name) {}
  stream(const stream &) = delete;
  stream &operator=(const stream &) = delete;

  bool empty() const { return items_.size() == 0; }
  bool full() const { return false; }
  std::size_t size() const { return items_.size(); }

  // Throws std::runtime_error if the stream is empty.
  T read() {
    if (empty()) refuse();
    return items_.pop();
  }
  void read(T &item) { item = read(); }
  // Whether there was something to read.
  bool read_nb(T &item) {
    if (empty()) return false;
    item = items_.pop();
    return true;
  }
  void write(const T &item) { items_.push(item); }
  bool write_nb(const T &item) {
    items_.push(item);
    return true;
  }
  void operator>>(T &item) { read(item); }
  void operator<<(const T &item) { write(item); }

 private:
  [[noreturn]] void refuse() const { throw std::runtime_error("read of the empty stream '" + name_ + "'"); }

  finn::light::Ring<T> items_;
  std::string name_;
};

// The same: a simulation without clock knows no depth.
//
// \tparam Depth  elements that the stream holds in hardware
template <typename T, int Depth>
class stream : public stream<T, 0> {
 public:
  using stream<T, 0>::stream;
};

}  // namespace hls

#endif
