// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Integers of any width for simulation, with the interface and the widths of results of Vitis HLS' header of this name
// (AMD UG1399, "Arbitrary Precision (AP) Data Types"), for compilers that do not come with it.
//
// Up to 64 bits a value is stored as a native integer, sign- or zero-extended, so that loops over arrays are vectorised
// and arrays can be filled from outside. Wider ones are words of bits: ranges, concatenation, shifts, bitwise operators
// and comparisons, no arithmetic.

#ifndef FINN_SIM_AP_INT_H
#define FINN_SIM_AP_INT_H

#include <cstdint>
#include <string>
#include <type_traits>

namespace finn {
namespace light {

template <int Bits, bool Signed>
class Int;

constexpr int larger(int a, int b) { return a > b ? a : b; }
constexpr uint64_t ones(int bits) { return bits >= 64 ? ~uint64_t{0} : (uint64_t{1} << bits) - 1; }

// The native integer that holds so many bits.
template <int Bits, bool Signed>
struct Native {
  using Type = std::conditional_t<
      Bits <= 8, std::conditional_t<Signed, int8_t, uint8_t>,
      std::conditional_t<Bits <= 16, std::conditional_t<Signed, int16_t, uint16_t>,
                         std::conditional_t<Bits <= 32, std::conditional_t<Signed, int32_t, uint32_t>,
                                            std::conditional_t<Signed, int64_t, uint64_t>>>>;
};

// What operators take: our integers, and native ones, which count as integers of their size.
template <typename T, typename Enable = void>
struct Operand {
  static constexpr bool is_operand = false;
  static constexpr bool is_ours = false;
};
template <int Bits, bool Signed>
struct Operand<Int<Bits, Signed>> {
  static constexpr bool is_operand = true;
  static constexpr bool is_ours = true;
  static constexpr int bits = Bits;
  static constexpr bool is_signed = Signed;
};
template <typename T>
struct Operand<T, std::enable_if_t<std::is_integral<T>::value>> {
  static constexpr bool is_operand = true;
  static constexpr bool is_ours = false;
  static constexpr int bits = std::is_same<T, bool>::value ? 1 : static_cast<int>(8 * sizeof(T));
  static constexpr bool is_signed = std::is_signed<T>::value;
};

template <typename T>
using Integral = std::enable_if_t<std::is_integral<T>::value, int>;

// Of two operands, one of them ours.
template <typename A, typename B>
using Pair =
    std::enable_if_t<Operand<A>::is_operand && Operand<B>::is_operand && (Operand<A>::is_ours || Operand<B>::is_ours),
                     int>;

// The widths of what operators make of A and B.
template <typename A, typename B>
struct Widths {
  static constexpr bool is_signed = Operand<A>::is_signed || Operand<B>::is_signed;
  // Both operands, with a sign if one has it.
  static constexpr int both = larger(Operand<A>::bits + (is_signed && !Operand<A>::is_signed ? 1 : 0),
                                     Operand<B>::bits + (is_signed && !Operand<B>::is_signed ? 1 : 0));
  using Same = Int<both, is_signed>;
  using Sum = Int<both + 1, is_signed>;
  using Difference = Int<both + 1, true>;
  using Product = Int<Operand<A>::bits + Operand<B>::bits, is_signed>;
  using Quotient = Int<Operand<A>::bits + (Operand<B>::is_signed ? 1 : 0), is_signed>;
  static constexpr int divided = Operand<A>::bits < Operand<B>::bits + (!Operand<B>::is_signed && Operand<A>::is_signed)
                                     ? Operand<A>::bits
                                     : Operand<B>::bits + (!Operand<B>::is_signed && Operand<A>::is_signed);
  using Remainder = Int<divided, Operand<A>::is_signed>;
};

// Of a value that is known to have no more bits than its type: nothing has to be cut off.
struct Fitting {};

// Up to 64 bits: a native integer.
template <int Bits, bool Signed, bool Fits>
class Storage {
 public:
  using Value = typename Native<Bits, Signed>::Type;

  Storage() = default;
  constexpr Storage(Value value) : value_(extended(value)) {}
  constexpr Storage(Value value, Fitting /*known*/) : value_(value) {}
  constexpr operator Value() const { return value_; }
  constexpr uint64_t word(int k) const {
    return k == 0 ? static_cast<uint64_t>(value_) : Signed && value_ < 0 ? ~uint64_t{0} : 0;
  }
  template <typename Words>
  static constexpr Storage of(const Words &words) {
    return Storage(static_cast<Value>(words.word(0)));
  }

 private:
  // What Bits bits hold of a value.
  static constexpr Value extended(Value value) {
    using Unsigned = std::make_unsigned_t<Value>;
    constexpr int Spare = static_cast<int>(8 * sizeof(Value)) - Bits;
    return static_cast<Value>(static_cast<Value>(static_cast<Unsigned>(static_cast<Unsigned>(value) << Spare)) >>
                              Spare);
  }

  Value value_;
};

// More than 64 bits: words, the lowest first. In the highest, the bits beyond the width continue the sign.
template <int Bits, bool Signed>
class Storage<Bits, Signed, false> {
 public:
  static constexpr int Words = (Bits + 63) / 64;

  Storage() = default;
  uint64_t word(int k) const {
    if (k < Words) return words_[k];
    return Signed && (words_[Words - 1] >> 63) != 0 ? ~uint64_t{0} : 0;
  }
  template <typename Source>
  static Storage of(const Source &source) {
    constexpr int Spare = 64 * Words - Bits;
    Storage made;
    for (int k = 0; k < Words; k++) made.words_[k] = source.word(k);
    uint64_t &top = made.words_[Words - 1];
    top = Signed ? static_cast<uint64_t>(static_cast<int64_t>(top << Spare) >> Spare) : top << Spare >> Spare;
    return made;
  }
  explicit operator bool() const {
    for (const uint64_t word : words_) {
      if (word != 0) return true;
    }
    return false;
  }

 private:
  uint64_t words_[Words];
};

// The words of something, computed when they are asked for.
template <typename F>
struct Computed {
  F word;
};
template <typename F>
constexpr Computed<F> computed(F word) {
  return {word};
}

template <typename Target>
class Range;

// \tparam Bits    width
// \tparam Signed  two's complement, or without a sign
template <int Bits, bool Signed>
class Int : public Storage<Bits, Signed, Bits <= 64> {
  static_assert(Bits >= 1, "Bits must be at least 1: hardware has no integers without bits");
  using Base = Storage<Bits, Signed, Bits <= 64>;

 public:
  static constexpr int width = Bits;
  static constexpr bool sign_flag = Signed;

  Int() = default;
  template <typename T, std::enable_if_t<std::is_integral<T>::value && (Bits <= 64), int> = 0>
  constexpr Int(T value) : Base(static_cast<typename Base::Value>(value)) {}
  template <typename T, std::enable_if_t<std::is_integral<T>::value && (Bits > 64), char> = 0>
  Int(T value) : Base(Base::of(Int<64, std::is_signed<T>::value>(value))) {}
  template <int OtherBits, bool OtherSigned>
  constexpr Int(const Int<OtherBits, OtherSigned> &other) : Base(Base::of(other)) {}
  template <typename T, std::enable_if_t<std::is_integral<T>::value && (Bits <= 64), int> = 0>
  constexpr Int(T value, Fitting known) : Base(static_cast<typename Base::Value>(value), known) {}
  template <typename F>
  explicit constexpr Int(const Computed<F> &words) : Base(Base::of(words)) {}
  template <typename Target>
  Int(const Range<Target> &range) : Int(range.get()) {}
  // Digits with an optional 0x, 0o or 0b in front; for tests.
  explicit Int(const char *digits, int base = 16) : Int(parsed(digits, base)) {}

  int to_int() const { return static_cast<int>(this->word(0)); }
  unsigned to_uint() const { return static_cast<unsigned>(this->word(0)); }
  int64_t to_int64() const { return static_cast<int64_t>(this->word(0)); }
  uint64_t to_uint64() const { return this->word(0); }
  bool to_bool() const { return or_reduce(); }
  double to_double() const {
    static_assert(Bits <= 64, "to_double() is for at most 64 bits");
    return Signed ? static_cast<double>(to_int64()) : static_cast<double>(to_uint64());
  }
  static constexpr int length() { return Bits; }

  Range<Int> range(int high, int low) { return Range<Int>(*this, high, low); }
  Range<Int> operator()(int high, int low) { return range(high, low); }
  Range<Int> operator[](int bit) { return range(bit, bit); }
  Int<Bits, false> range(int high, int low) const { return part(high, low); }
  Int<Bits, false> operator()(int high, int low) const { return part(high, low); }
  bool operator[](int bit) const { return (field(bit, 1) & 1) != 0; }
  bool test(int bit) const { return (field(bit, 1) & 1) != 0; }

  bool and_reduce() const { return !(~*this).or_reduce_of(Bits); }
  bool or_reduce() const { return or_reduce_of(Bits); }
  bool xor_reduce() const {
    uint64_t folded = 0;
    for (int low = 0; low < Bits; low += 64) folded ^= field(low, Bits - low);
    return __builtin_parityll(folded) != 0;
  }

  // `count` bits from `low` on, at most 64.
  uint64_t field(int low, int count) const {
    const int shift = low % 64;
    uint64_t bits = this->word(low / 64) >> shift;
    if (shift != 0) bits |= this->word(low / 64 + 1) << (64 - shift);
    return bits & ones(count);
  }
  Int<Bits, false> part(int high, int low) const {
    return Int<Bits, false>(computed([=](int k) { return field_or_none(low + 64 * k, high - low + 1 - 64 * k); }));
  }
  template <int OtherBits, bool OtherSigned>
  void set_part(int high, int low, const Int<OtherBits, OtherSigned> &value) {
    *this = Int(computed([=](int k) {
      uint64_t word = this->word(k);
      const int from = larger(low, 64 * k);
      const int to = high < 64 * k + 63 ? high : 64 * k + 63;
      if (from > to) return word;
      const uint64_t place = ones(to - from + 1) << (from - 64 * k);
      return (word & ~place) | ((value.field(from - low, 64) << (from - 64 * k)) & place);
    }));
  }

  Int<larger(Bits + 1, 1), true> operator-() const {
    static_assert(Bits < 64, "the negative of 64 bits or more");
    return Int<Bits + 1, true>(-static_cast<int64_t>(this->word(0)));
  }
  constexpr Int<Bits, Signed> operator+() const { return *this; }
  Int operator~() const {
    return Int(computed([this](int k) { return ~this->word(k); }));
  }
  bool operator!() const { return !or_reduce(); }
  Int operator<<(int places) const { return places < 0 ? *this >> -places : shifted(-places); }
  Int operator>>(int places) const { return places < 0 ? *this << -places : shifted(places); }

  template <typename T>
  Int &operator+=(const T &other) {
    return *this = Int(*this + other);
  }
  template <typename T>
  Int &operator-=(const T &other) {
    return *this = Int(*this - other);
  }
  template <typename T>
  Int &operator*=(const T &other) {
    return *this = Int(*this * other);
  }
  template <typename T>
  Int &operator&=(const T &other) {
    return *this = Int(*this & other);
  }
  template <typename T>
  Int &operator|=(const T &other) {
    return *this = Int(*this | other);
  }
  template <typename T>
  Int &operator^=(const T &other) {
    return *this = Int(*this ^ other);
  }
  Int &operator<<=(int places) { return *this = *this << places; }
  Int &operator>>=(int places) { return *this = *this >> places; }
  Int &operator++() { return *this += 1; }
  Int &operator--() { return *this -= 1; }
  Int operator++(int) {
    const Int before = *this;
    *this += 1;
    return before;
  }
  Int operator--(int) {
    const Int before = *this;
    *this -= 1;
    return before;
  }

  // In base 2, 8, 10 (of at most 64 bits) or 16, with the prefix of the base.
  std::string to_string(int base = 2) const {
    if (base == 10) return Signed ? std::to_string(to_int64()) : std::to_string(to_uint64());
    const int bits = base == 2 ? 1 : base == 8 ? 3 : 4;
    std::string text = base == 2 ? "0b" : base == 8 ? "0o" : "0x";
    for (int low = (Bits - 1) / bits * bits; low >= 0; low -= bits) {
      text += "0123456789abcdef"[field(low, Bits - low < bits ? Bits - low : bits)];
    }
    return text;
  }

 private:
  uint64_t field_or_none(int low, int count) const { return count <= 0 ? 0 : field(low, count); }
  bool or_reduce_of(int bits) const {
    uint64_t any = 0;
    for (int low = 0; low < bits; low += 64) any |= field(low, bits - low);
    return any != 0;
  }
  // To the right; by a negative number to the left.
  Int shifted(int places) const {
    const int whole = places >= 0 ? places / 64 : -((63 - places) / 64);
    const int rest = places - 64 * whole;  // 0 to 63
    return Int(computed([=](int k) {
      const uint64_t low = word_or_none(k + whole);
      return rest == 0 ? low : low >> rest | word_or_none(k + whole + 1) << (64 - rest);
    }));
  }
  uint64_t word_or_none(int k) const { return k < 0 ? 0 : this->word(k); }

  static Int parsed(const char *digits, int base) {
    const bool negative = *digits == '-';
    digits += negative ? 1 : 0;
    if (digits[0] == '0' && digits[1] != 0 && (digits[1] | 32) > '9') digits += 2;
    Int value(0);
    for (; *digits != 0; digits++) {
      const int digit = *digits <= '9' ? *digits - '0' : (*digits | 32) - 'a' + 10;
      value = value.times(base).plus(digit);
    }
    return negative ? (~value).plus(1) : value;
  }
  Int times(int factor) const {
    Int sum(0);
    for (int bit = 0; bit < 5; bit++) {
      if ((factor >> bit & 1) != 0) sum = sum.plus(*this << bit);
    }
    return sum;
  }
  Int plus(const Int &other) const {
    Int sum = *this ^ other;
    for (Int carry = (*this & other) << 1; carry.or_reduce();) {
      const Int next = (sum & carry) << 1;
      sum = sum ^ carry;
      carry = next;
    }
    return sum;
  }
};

template <typename Target>
class Range {
 public:
  Range(Target &target, int high, int low) : target_(target), high_(high), low_(low) {}
  Range(const Range &) = default;
  ~Range() = default;

  int length() const { return high_ - low_ + 1; }
  Int<Target::width, false> get() const { return target_.part(high_, low_); }
  operator uint64_t() const { return get().word(0); }
  uint64_t to_uint64() const { return get().word(0); }
  unsigned to_uint() const { return static_cast<unsigned>(get().word(0)); }
  int to_int() const { return static_cast<int>(get().word(0)); }
  bool to_bool() const { return get().or_reduce(); }

  // Bits beyond the range are cut off.
  Range &operator=(const Range &other) { return *this = other.get(); }
  template <typename Other>
  Range &operator=(const Range<Other> &other) {
    return *this = other.get();
  }
  template <typename T, Integral<T> = 0>
  Range &operator=(T value) {
    return *this = Int<64, std::is_signed<T>::value>(value);
  }
  template <int Bits, bool Signed>
  Range &operator=(const Int<Bits, Signed> &value) {
    target_.set_part(high_, low_, value);
    return *this;
  }

 private:
  Target &target_;
  int high_;
  int low_;
};

// Arithmetic of at most 64 bits, in the native integer that holds the result.
template <typename Result, typename T>
constexpr typename Result::Value as(const T &operand) {
  return static_cast<typename Result::Value>(operand);
}

#define FINN_ARITHMETIC(symbol, name)                                                                             \
  template <typename A, typename B, Pair<A, B> = 0>                                                               \
  constexpr typename Widths<A, B>::name operator symbol(const A &a, const B &b) {                                 \
    using Result = typename Widths<A, B>::name;                                                                   \
    static_assert(Result::width <= 64, "the result of " #symbol " has more than 64 bits: use narrower operands"); \
    return Result(as<Result>(a) symbol as<Result>(b), Fitting());                                                 \
  }
FINN_ARITHMETIC(+, Sum)
FINN_ARITHMETIC(-, Difference)
FINN_ARITHMETIC(*, Product)
#undef FINN_ARITHMETIC

// Quotients are rounded towards zero; both operands are widened so that the signs are right.
#define FINN_DIVISION(symbol, name)                                                                        \
  template <typename A, typename B, Pair<A, B> = 0>                                                        \
  constexpr typename Widths<A, B>::name operator symbol(const A &a, const B &b) {                          \
    using Both = typename Widths<A, B>::Same;                                                              \
    static_assert(Both::width <= 64, "operands of " #symbol " of more than 64 bits");                      \
    return typename Widths<A, B>::name(static_cast<typename Both::Value>(as<Both>(a) symbol as<Both>(b))); \
  }
FINN_DIVISION(/, Quotient)
FINN_DIVISION(%, Remainder)
#undef FINN_DIVISION

template <typename Same, typename F>
std::enable_if_t<(Same::width <= 64), Same> both(const Same &a, const Same &b, F function) {
  return Same(function(a.word(0), b.word(0)), Fitting());
}
template <typename Same, typename F>
std::enable_if_t<(Same::width > 64), Same> both(const Same &a, const Same &b, F function) {
  return Same(computed([&](int k) { return function(a.word(k), b.word(k)); }));
}

#define FINN_BITWISE(symbol)                                                                        \
  template <typename A, typename B, Pair<A, B> = 0>                                                 \
  typename Widths<A, B>::Same operator symbol(const A &a, const B &b) {                             \
    using Same = typename Widths<A, B>::Same;                                                       \
    return both(Same(a), Same(b), [](uint64_t left, uint64_t right) { return left symbol right; }); \
  }
FINN_BITWISE(&)
FINN_BITWISE(|)
FINN_BITWISE(^)
#undef FINN_BITWISE

// Values are compared, whatever their types.
template <typename Same>
constexpr std::enable_if_t<(Same::width <= 64), bool> less(const Same &a, const Same &b) {
  return as<Same>(a) < as<Same>(b);
}
template <typename Same>
std::enable_if_t<(Same::width > 64), bool> less(const Same &a, const Same &b) {
  for (int k = Same::Words - 1; k >= 0; k--) {
    const uint64_t flip = Same::sign_flag && k == Same::Words - 1 ? uint64_t{1} << 63 : 0;
    if (a.word(k) != b.word(k)) return (a.word(k) ^ flip) < (b.word(k) ^ flip);
  }
  return false;
}
template <typename Same>
constexpr std::enable_if_t<(Same::width <= 64), bool> equal(const Same &a, const Same &b) {
  return as<Same>(a) == as<Same>(b);
}
template <typename Same>
std::enable_if_t<(Same::width > 64), bool> equal(const Same &a, const Same &b) {
  for (int k = 0; k < Same::Words; k++) {
    if (a.word(k) != b.word(k)) return false;
  }
  return true;
}
template <typename A, typename B, Pair<A, B> = 0>
constexpr bool operator<(const A &a, const B &b) {
  using Same = typename Widths<A, B>::Same;
  return less(Same(a), Same(b));
}
template <typename A, typename B, Pair<A, B> = 0>
constexpr bool operator==(const A &a, const B &b) {
  using Same = typename Widths<A, B>::Same;
  return equal(Same(a), Same(b));
}
template <typename A, typename B, Pair<A, B> = 0>
constexpr bool operator!=(const A &a, const B &b) {
  return !(a == b);
}
template <typename A, typename B, Pair<A, B> = 0>
constexpr bool operator>(const A &a, const B &b) {
  return b < a;
}
template <typename A, typename B, Pair<A, B> = 0>
constexpr bool operator<=(const A &a, const B &b) {
  return !(b < a);
}
template <typename A, typename B, Pair<A, B> = 0>
constexpr bool operator>=(const A &a, const B &b) {
  return !(a < b);
}

// (a, b): the bits of a above those of b.
template <int A, bool SignedA, int B, bool SignedB>
Int<A + B, false> operator,(const Int<A, SignedA> &a, const Int<B, SignedB> &b) {
  Int<A + B, false> both = Int<B, false>(b);
  both.set_part(A + B - 1, B, a);
  return both;
}

}  // namespace light
}  // namespace finn

template <int Width>
using ap_int = finn::light::Int<Width, true>;
template <int Width>
using ap_uint = finn::light::Int<Width, false>;

#endif
