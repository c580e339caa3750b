// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Some bits of an integer, read and written in place: what `range(high, low)` and `[index]` give.

#ifndef FINN_SIM_BITS_H
#define FINN_SIM_BITS_H

#include "storage.h"

namespace finn {
namespace light {

// Whether T is a native number, or an enum that converts to one by itself.
template <typename T>
struct IsNative : std::integral_constant<bool, std::is_arithmetic<T>::value ||
                                                   (std::is_enum<T>::value && std::is_convertible<T, int>::value)> {};

// A number as a sequence of words. Floating-point numbers are cut off towards zero; they must fit 64 bits.
template <typename T, typename = std::enable_if_t<IsNative<T>::value>>
constexpr auto words_of(const T &value) {
  using Word = std::conditional_t<std::is_integral<T>::value, T, std::int64_t>;
  return NativeWords<Word>{static_cast<Word>(value)};
}
template <typename T, typename Storage = typename T::Storage>
constexpr NativeWords<Storage> words_of(const T &value) {
  return {static_cast<Storage>(value)};
}
template <typename T, typename = void, typename = decltype(std::declval<const T &>().word(0))>
constexpr const T &words_of(const T &value) {
  return value;  // NOLINT(bugprone-return-const-ref-from-parameter): read in the same expression
}

// The bits `high` to `low` of an integer, an unsigned number of that many bits.
//
// \tparam Owner  what it is a range of; of a const type the bits can only be read
template <typename Owner>
class Range {
 public:
  // \param high, low  0 <= low <= high < width
  constexpr Range(Owner &integer, int high, int low) : integer_(integer), high_(high), low_(low) {
    assert(low >= 0 && low <= high && high < Owner::width && "a range needs 0 <= low <= high < width");
  }
  Range(const Range &) = default;
  ~Range() = default;

  // Assignment writes the lowest bits of the source.
  template <typename T, typename = decltype(words_of(std::declval<const T &>()))>
  constexpr Range &operator=(const T &source) {
    static_assert(!std::is_const<Owner>::value, "a range of a constant cannot be written");
    write(words_of(source));
    return *this;
  }
  // Ranges are copied first, for both may be of the same number.
  template <typename Other>
  constexpr Range &operator=(const Range<Other> &source) {
    return *this = Owner::copy(source);
  }
  constexpr Range &operator=(const Range &source) { return *this = Owner::copy(source); }

  constexpr operator std::uint64_t() const { return word(0); }
  constexpr int length() const { return high_ - low_ + 1; }
  constexpr std::uint64_t word(int index) const {
    const int left = length() - index * WordBits;
    return left <= 0 ? 0 : integer_.field(low_ + index * WordBits, left < WordBits ? left : WordBits);
  }

  constexpr int to_int() const { return static_cast<int>(word(0)); }
  constexpr unsigned to_uint() const { return static_cast<unsigned>(word(0)); }
  constexpr std::int64_t to_int64() const { return static_cast<std::int64_t>(word(0)); }
  constexpr std::uint64_t to_uint64() const { return word(0); }

 private:
  template <typename Source>
  constexpr void write(const Source &source) {
    for (int done = 0; done < length(); done += WordBits) {
      const int left = length() - done;
      integer_.set_field(low_ + done, left < WordBits ? left : WordBits, source.word(done / WordBits));
    }
  }

  Owner &integer_;
  int high_;
  int low_;
};

// One bit of an integer.
template <typename Owner>
class Bit {
 public:
  // \param index  0 <= index < width
  constexpr Bit(Owner &integer, int index) : integer_(integer), index_(index) {
    assert(index >= 0 && index < Owner::width && "a bit needs 0 <= index < width");
  }
  Bit(const Bit &) = default;
  ~Bit() = default;

  // Assignment writes whether the source is not 0.
  constexpr Bit &operator=(bool source) {
    static_assert(!std::is_const<Owner>::value, "a bit of a constant cannot be written");
    integer_.set_field(index_, 1, source ? 1 : 0);
    return *this;
  }
  constexpr Bit &operator=(const Bit &source) { return *this = static_cast<bool>(source); }

  constexpr operator bool() const { return integer_.field(index_, 1) != 0; }
  constexpr std::uint64_t word(int index) const { return index == 0 ? integer_.field(index_, 1) : 0; }
  constexpr bool to_bool() const { return *this; }

 private:
  Owner &integer_;
  int index_;
};

}  // namespace light
}  // namespace finn

#endif
