// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Integers of any width as text and back; for messages and tests, not for speed.

#ifndef FINN_SIM_TEXT_H
#define FINN_SIM_TEXT_H

#include <stdexcept>
#include <string>

#include "storage.h"

namespace finn {
namespace light {

// A non-negative number of at least `Width` bits, least significant limb first.
template <int Width>
class Limbs {
 public:
  static constexpr int size = Width / 32 + 1;

  Limbs() : limbs_{} {}
  // The number with `Width` bits, or its negative.
  template <typename Source>
  Limbs(const Source &source, bool negate) : limbs_{} {
    std::uint64_t carry = negate ? 1 : 0;
    for (int i = 0; i < size; i++) {
      const std::uint64_t limb = source.word(i / 2) >> (32 * (i % 2)) & 0xffffffff;
      carry += negate ? limb ^ 0xffffffff : limb;
      limbs_[i] = static_cast<std::uint32_t>(carry);
      carry >>= 32;
    }
  }

  // Divide by a small number; the remainder.
  unsigned divide(unsigned divisor) {
    std::uint64_t remainder = 0;
    for (int i = size - 1; i >= 0; i--) {
      const std::uint64_t dividend = remainder << 32 | limbs_[i];
      limbs_[i] = static_cast<std::uint32_t>(dividend / divisor);
      remainder = dividend % divisor;
    }
    return static_cast<unsigned>(remainder);
  }
  void multiply_add(unsigned factor, unsigned summand) {
    std::uint64_t carry = summand;
    for (std::uint32_t &limb : limbs_) {
      carry += std::uint64_t{limb} * factor;
      limb = static_cast<std::uint32_t>(carry);
      carry >>= 32;
    }
  }
  bool is_zero() const {
    for (const std::uint32_t limb : limbs_) {
      if (limb != 0) return false;
    }
    return true;
  }
  std::uint64_t word(int index) const { return half(2 * index) | half(2 * index + 1) << 32; }

 private:
  std::uint64_t half(int index) const { return index < size ? limbs_[index] : 0; }

  std::uint32_t limbs_[size];
};
template <int Width>
constexpr int Limbs<Width>::size;

inline const char *prefix_of(int radix) {
  switch (radix) {
    case 2:
      return "0b";
    case 8:
      return "0o";
    case 10:
      return "";
    case 16:
      return "0x";
    default:
      throw std::invalid_argument("radix " + std::to_string(radix) + ": 2, 8, 10 and 16 are known");
  }
}

// See Integer::to_string.
template <int Width, typename Number>
std::string digits_of(const Number &number, int radix) {
  const std::string prefix = prefix_of(radix);
  const bool all_bits = radix == 2;
  const bool negative = !all_bits && number.word(Width / WordBits + 1) != 0;
  Limbs<Width> rest(number, negative);
  std::string reversed;
  for (int digits = 0; all_bits ? digits < Width : digits == 0 || !rest.is_zero(); digits++) {
    reversed += "0123456789abcdef"[rest.divide(static_cast<unsigned>(radix))];
  }
  return (negative ? "-" : "") + prefix + std::string(reversed.rbegin(), reversed.rend());
}

inline unsigned digit_of(char c, int radix, const char *text) {
  const int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : 16;
  if (digit >= radix) {
    throw std::invalid_argument(std::string("'") + text + "' has the digit '" + c + "', which radix " +
                                std::to_string(radix) + " does not know");
  }
  return static_cast<unsigned>(digit);
}

// \param text   a sign, the prefix of the radix, digits; sign and prefix may be absent
// \param radix  2, 8, 10 or 16
template <int Width>
Limbs<Width> parse(const char *text, int radix) {
  const std::string prefix = prefix_of(radix);
  std::string digits = text;
  const bool negative = digits[0] == '-';
  digits.erase(0, negative || digits[0] == '+' ? 1 : 0);
  if (digits.compare(0, prefix.size(), prefix) == 0) digits.erase(0, prefix.size());
  if (digits.empty()) throw std::invalid_argument(std::string("'") + text + "' has no digits");
  Limbs<Width> number;
  for (const char c : digits) number.multiply_add(static_cast<unsigned>(radix), digit_of(c, radix, text));
  return Limbs<Width>(number, negative);
}

}  // namespace light
}  // namespace finn

#endif
