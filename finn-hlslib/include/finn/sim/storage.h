// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// How integers of any width are kept: up to 64 bits in the next native integer, above in an array of 64-bit words.
//
// A value is always sign- or zero-extended to all of its storage. Every operand can be read as an endless sequence of
// 64-bit words, least significant first: `word(0)`, `word(1)`, ...; what is above the width repeats the sign.

#ifndef FINN_SIM_STORAGE_H
#define FINN_SIM_STORAGE_H

#include <cassert>
#include <cstdint>
#include <type_traits>

namespace finn {
namespace light {

constexpr int WordBits = 64;

// The width of the native integer that keeps so many bits.
constexpr int native_bits(int width) { return width <= 8 ? 8 : width <= 16 ? 16 : width <= 32 ? 32 : 64; }

template <int Bits, bool Signed>
struct NativeOf;
template <>
struct NativeOf<8, true> {
  using Type = std::int8_t;
};
template <>
struct NativeOf<8, false> {
  using Type = std::uint8_t;
};
template <>
struct NativeOf<16, true> {
  using Type = std::int16_t;
};
template <>
struct NativeOf<16, false> {
  using Type = std::uint16_t;
};
template <>
struct NativeOf<32, true> {
  using Type = std::int32_t;
};
template <>
struct NativeOf<32, false> {
  using Type = std::uint32_t;
};
template <>
struct NativeOf<64, true> {
  using Type = std::int64_t;
};
template <>
struct NativeOf<64, false> {
  using Type = std::uint64_t;
};

template <int Width, bool Signed>
using Native = typename NativeOf<native_bits(Width), Signed>::Type;

// The lowest `width` bits set, 1 <= width <= 64.
constexpr std::uint64_t ones(int width) { return ~std::uint64_t(0) >> (WordBits - width); }

// The lowest `Width` bits of `bits` as a signed or unsigned number, 1 <= Width <= 64.
//
// (x ^ sign) - sign extends a sign without shifts, which vector units lack for bytes.
template <int Width, bool Signed>
constexpr Native<Width, Signed> wrap(Native<Width, false> bits) {
  using Unsigned = Native<Width, false>;
  constexpr Unsigned Mask = static_cast<Unsigned>(ones(Width));
  constexpr Unsigned Sign = Signed && Width < native_bits(Width) ? static_cast<Unsigned>(ones(Width) / 2 + 1) : 0;
  return static_cast<Native<Width, Signed>>(static_cast<Unsigned>((bits & Mask) ^ Sign) - Sign);
}

// A native integer as a sequence of words.
template <typename T>
struct NativeWords {
  T value;
  constexpr std::uint64_t word(int index) const {
    return index == 0                                 ? static_cast<std::uint64_t>(value)
           : std::is_signed<T>::value && value < T(0) ? ~std::uint64_t(0)
                                                      : 0;
  }
};

// The lowest bits of a sequence of words as a native integer. What is native does not go a long way round by words:
// compilers see a sum in a loop, to make vectors of it, through few conversions only.
template <typename To, typename Source>
constexpr To lowest(const Source &source) {
  return static_cast<To>(source.word(0));
}
template <typename To, typename T>
constexpr To lowest(const NativeWords<T> &source) {
  return static_cast<To>(source.value);
}

// Says that a value needs no wrapping.
struct Exact {};

// An integer of 1 to 64 bits.
template <int Width, bool Signed>
class Narrow {
 public:
  using Storage = Native<Width, Signed>;

  Narrow() = default;
  constexpr Narrow(Exact /*unused*/, Storage value) : value_(value) {}
  template <typename Source>
  static constexpr Narrow copy(const Source &source) {
    return Narrow(Exact(), wrap<Width, Signed>(lowest<Native<Width, false>>(source)));
  }

  constexpr operator Storage() const { return value_; }

  constexpr std::uint64_t field(int low, int length) const {
    return (static_cast<std::uint64_t>(value_) >> low) & ones(length);
  }
  constexpr void set_field(int low, int length, std::uint64_t bits) {
    const std::uint64_t mask = ones(length) << low;
    const std::uint64_t all = (static_cast<std::uint64_t>(value_) & ~mask) | ((bits << low) & mask);
    value_ = wrap<Width, Signed>(static_cast<Native<Width, false>>(all));
  }

 private:
  Storage value_;
};

// An integer of more than 64 bits.
template <int Width, bool Signed>
class Wide {
 public:
  static constexpr int words = (Width + WordBits - 1) / WordBits;

  Wide() = default;
  template <typename Source>
  static constexpr Wide copy(const Source &source) {
    Wide result = Wide(Zero());
    for (int i = 0; i < words; i++) result.words_[i] = source.word(i);
    result.wrap_top();
    return result;
  }

  constexpr std::uint64_t word(int index) const {
    return index < words ? words_[index] : Signed && (words_[words - 1] >> (WordBits - 1)) != 0 ? ~std::uint64_t(0) : 0;
  }
  // \param length  1 to 64
  constexpr std::uint64_t field(int low, int length) const {
    const int first = low / WordBits;
    const int offset = low % WordBits;
    std::uint64_t bits = words_[first] >> offset;
    if (offset + length > WordBits) bits |= words_[first + 1] << (WordBits - offset);
    return bits & ones(length);
  }
  constexpr void set_field(int low, int length, std::uint64_t bits) {
    const int first = low / WordBits;
    const int offset = low % WordBits;
    const std::uint64_t mask = ones(length);
    bits &= mask;
    words_[first] = (words_[first] & ~(mask << offset)) | (bits << offset);
    if (offset + length > WordBits) {
      const int done = WordBits - offset;
      words_[first + 1] = (words_[first + 1] & ~(mask >> done)) | (bits >> done);
    }
    if (Signed && low + length == Width) wrap_top();
  }

 private:
  struct Zero {};
  constexpr explicit Wide(Zero /*unused*/) : words_{} {}

  constexpr void wrap_top() {
    constexpr int TopBits = Width - (words - 1) * WordBits;
    words_[words - 1] = static_cast<std::uint64_t>(wrap_word<TopBits>(words_[words - 1]));
  }
  template <int Bits>
  static constexpr std::uint64_t wrap_word(std::uint64_t bits) {
    constexpr std::uint64_t Sign = Signed && Bits < WordBits ? std::uint64_t(1) << (Bits - 1) : 0;
    return ((bits & ones(Bits)) ^ Sign) - Sign;
  }

  std::uint64_t words_[words];
};
template <int Width, bool Signed>
constexpr int Wide<Width, Signed>::words;

}  // namespace light
}  // namespace finn

#endif
