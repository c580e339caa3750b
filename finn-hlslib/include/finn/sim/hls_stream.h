// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// hls::stream for simulation, with the interface of Vitis HLS (AMD UG1399, "HLS Stream Library"): a queue without
// limit. To read when it is empty is an error.

#ifndef FINN_SIM_HLS_STREAM_H
#define FINN_SIM_HLS_STREAM_H

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>

namespace hls {

// \tparam T      what it carries
// \tparam Depth  of the FIFO in hardware; no limit here
template <typename T, int Depth = 0>
class stream {
 public:
  stream() = default;
  explicit stream(const char *name) : name_(name) {}
  stream(const stream &) = delete;
  stream &operator=(const stream &) = delete;

  bool empty() const { return head_ == tail_; }
  bool full() const { return false; }
  std::size_t size() const { return tail_ - head_; }

  T read() {
    if (empty()) throw std::runtime_error("the stream " + name_ + " is read and has nothing");
    return items_[head_++ & (room_ - 1)];
  }
  void read(T &item) { item = read(); }
  bool read_nb(T &item) {
    if (empty()) return false;
    item = read();
    return true;
  }
  void write(const T &item) {
    if (size() == room_) grow();
    items_[tail_++ & (room_ - 1)] = item;
  }
  bool write_nb(const T &item) {
    write(item);
    return true;
  }
  void operator>>(T &item) { item = read(); }
  void operator<<(const T &item) { write(item); }

 private:
  void grow() {
    const std::size_t larger = 2 * room_;
    std::unique_ptr<T[]> items(new T[larger]);
    for (std::size_t k = head_; k != tail_; k++) items[k & (larger - 1)] = items_[k & (room_ - 1)];
    items_ = std::move(items);
    room_ = larger;
  }

  std::string name_ = "without a name";
  std::size_t room_ = 16;
  std::unique_ptr<T[]> items_{new T[16]};
  std::size_t head_ = 0;
  std::size_t tail_ = 0;
};

}  // namespace hls

#endif
