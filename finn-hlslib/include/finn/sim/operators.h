// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Operators of integers of any width: results are so wide that nothing is lost (UG1399, "Arbitrary Precision (AP) Data
// Types"). Of + - * / % more than 64 bits are not computed: see LowWord.
//
// An operand is an ap_int, ap_uint, a range or a bit of one, or a native integer (bool counts as one bit).

#ifndef FINN_SIM_OPERATORS_H
#define FINN_SIM_OPERATORS_H

#include "bits.h"

template <int Width>
class ap_int;
template <int Width>
class ap_uint;

namespace finn {
namespace light {

template <int Width, bool Signed>
using Number = std::conditional_t<Signed, ap_int<Width>, ap_uint<Width>>;

template <int Width, bool Signed>
class Integer;

// Width and sign of an operand, and whether its type is one of ours or a native one; nothing for other types.
template <typename T, typename = void>
struct Operand {};
template <int Width, bool Signed, bool Ours>
struct OperandOf {
  static constexpr int width = Width;
  static constexpr bool is_signed = Signed;
  static constexpr bool ours = Ours;
};
template <int Width, bool Signed, bool Ours>
constexpr int OperandOf<Width, Signed, Ours>::width;
template <typename T>
struct Operand<T, std::enable_if_t<std::is_integral<T>::value>>
    : OperandOf<std::is_same<T, bool>::value ? 1 : int{8 * sizeof(T)}, std::is_signed<T>::value, false> {};
template <int Width>
struct Operand<ap_int<Width>> : OperandOf<Width, true, true> {};
template <int Width>
struct Operand<ap_uint<Width>> : OperandOf<Width, false, true> {};
template <int Width, bool Signed>
struct Operand<Range<Integer<Width, Signed>>> : OperandOf<Width, false, true> {};
template <int Width, bool Signed>
struct Operand<Range<const Integer<Width, Signed>>> : OperandOf<Width, false, true> {};
template <typename T>
struct Operand<Bit<T>> : OperandOf<1, false, true> {};

// A sum, difference or product of more than 64 bits: only the lowest 64 are known. It can be an operand of + - * again
// and can be cast to 64 bits or fewer, for which the others are not needed; anything else does not compile.
template <int Width, bool Signed>
struct LowWord {
  std::uint64_t bits;
};
template <int Width, bool Signed>
struct Operand<LowWord<Width, Signed>> : OperandOf<Width, Signed, true> {};
template <int Width, bool Signed>
constexpr NativeWords<std::uint64_t> words_of(const LowWord<Width, Signed> &value) {
  static_assert(Width <= WordBits,
                "a result of + - * with more than 64 bits: cast it to 64 bits or fewer, or its operands to fewer");
  return {value.bits};
}

// To be cast to `Target` bits.
template <int Target, int Width, bool Signed>
constexpr NativeWords<std::uint64_t> cut(const LowWord<Width, Signed> &value) {
  static_assert(Target <= WordBits, "+ - * have results of 64 bits at most: nothing is known above");
  return {value.bits};
}

// Whether something can be assigned to, as a whole: not a range or a bit, which are written by `=` alone.
template <typename T>
struct IsVariable : std::false_type {};
template <int Width>
struct IsVariable<ap_int<Width>> : std::true_type {};
template <int Width>
struct IsVariable<ap_uint<Width>> : std::true_type {};

constexpr int larger(int a, int b) { return a > b ? a : b; }
constexpr int smaller(int a, int b) { return a < b ? a : b; }

template <int Width, bool Signed>
using Computed = std::conditional_t<(Width <= WordBits), Number<Width, Signed>, LowWord<Width, Signed>>;

// Widths and signs of the results of binary operators.
template <typename A, typename B>
struct Result {
  static constexpr int width_a = Operand<A>::width;
  static constexpr int width_b = Operand<B>::width;
  static constexpr bool signed_a = Operand<A>::is_signed;
  static constexpr bool signed_b = Operand<B>::is_signed;
  static constexpr bool any_signed = signed_a || signed_b;
  // An unsigned operand beside a signed one needs a bit for its sign.
  static constexpr int common_width =
      larger(width_a + (signed_b && !signed_a ? 1 : 0), width_b + (signed_a && !signed_b ? 1 : 0));
  using Common = Number<common_width, any_signed>;
  using Sum = Computed<common_width + 1, any_signed>;
  using Difference = Computed<common_width + 1, true>;
  using Product = Computed<width_a + width_b, any_signed>;
  using Quotient = Number<width_a + (signed_b ? 1 : 0), any_signed>;
  using Remainder = Number<smaller(width_a, width_b + (signed_a && !signed_b ? 1 : 0)), signed_a>;
};

template <typename A, typename B, bool AnyOurs = Operand<A>::ours || Operand<B>::ours>
using BinaryResult = std::enable_if_t<AnyOurs, Result<A, B>>;
template <typename A, bool Ours = Operand<A>::ours>
using Unary = std::enable_if_t<Ours, Operand<A>>;
template <typename A, typename B, int = Operand<B>::width>
using Assigned = std::enable_if_t<IsVariable<A>::value, A>;

// An operand as a native integer, modulo its range.
template <typename To, typename T>
constexpr To native(const T &operand) {
  return lowest<To>(words_of(operand));
}
template <typename To, int Width, bool Signed>
constexpr To native(const LowWord<Width, Signed> &operand) {
  return static_cast<To>(operand.bits);
}

// The native type in which a result is computed, and the result.
template <typename R>
struct Compute {
  using Type = Native<R::width, Operand<R>::is_signed>;
  template <typename Value>
  static constexpr R exact(Value value) {
    return R(Exact(), static_cast<Type>(value));
  }
};
template <int Width, bool Signed>
struct Compute<LowWord<Width, Signed>> {
  using Type = std::uint64_t;
  static constexpr LowWord<Width, Signed> exact(std::uint64_t bits) { return {bits}; }
};
template <typename R>
using TypeOf = typename Compute<R>::Type;

template <typename A, typename B, typename R = typename BinaryResult<A, B>::Sum>
constexpr R operator+(const A &a, const B &b) {
  using T = TypeOf<R>;
  return Compute<R>::exact(native<T>(a) + native<T>(b));
}
template <typename A, typename B, typename R = typename BinaryResult<A, B>::Difference>
constexpr R operator-(const A &a, const B &b) {
  using T = TypeOf<R>;
  return Compute<R>::exact(native<T>(a) - native<T>(b));
}
template <typename A, typename B, typename R = typename BinaryResult<A, B>::Product>
constexpr R operator*(const A &a, const B &b) {
  using T = TypeOf<R>;
  return Compute<R>::exact(native<T>(a) * native<T>(b));
}

// Division cuts off towards zero; the remainder has the sign of the dividend. Without a case of its own, the smallest
// number by -1 would overflow.
template <typename T>
constexpr T divide(T a, T b) {
  return std::is_signed<T>::value && b == static_cast<T>(-1)
             ? static_cast<T>(std::uint64_t(0) - static_cast<std::uint64_t>(a))
             : static_cast<T>(a / b);
}
template <typename T>
constexpr T remainder(T a, T b) {
  return std::is_signed<T>::value && b == static_cast<T>(-1) ? T(0) : static_cast<T>(a % b);
}
// The native type that holds both operands and a result of `Width` bits.
template <typename A, typename B, int Width>
struct Divide {
  static_assert(larger(Result<A, B>::common_width, Width) <= WordBits,
                "/ and % need operands and a result of 64 bits at most: cast the operands to fewer bits");
  using Type = Native<smaller(larger(Result<A, B>::common_width, Width), WordBits), Result<A, B>::any_signed>;
};

template <typename A, typename B, typename R = typename BinaryResult<A, B>::Quotient>
constexpr R operator/(const A &a, const B &b) {
  using T = typename Divide<A, B, R::width>::Type;
  return R(divide(native<T>(a), native<T>(b)));
}
template <typename A, typename B, typename R = typename BinaryResult<A, B>::Remainder>
constexpr R operator%(const A &a, const B &b) {
  using T = typename Divide<A, B, R::width>::Type;
  return R(remainder(native<T>(a), native<T>(b)));
}

// A function of bits, of two sequences of words.
template <typename A, typename B, typename Function>
struct Combined {
  const A &a;
  const B &b;
  constexpr std::uint64_t word(int index) const { return Function::of(a.word(index), b.word(index)); }
};
struct And {
  template <typename T>
  static constexpr T of(T a, T b) {
    return static_cast<T>(a & b);
  }
};
struct Or {
  template <typename T>
  static constexpr T of(T a, T b) {
    return static_cast<T>(a | b);
  }
};
struct Xor {
  template <typename T>
  static constexpr T of(T a, T b) {
    return static_cast<T>(a ^ b);
  }
};
// The same of two numbers: by native integers if one holds the result, else by words.
template <typename R, typename Function, bool IsNative = (R::width <= WordBits)>
struct Bitwise {
  template <typename A, typename B>
  static constexpr R of(const A &a, const B &b) {
    using T = TypeOf<R>;
    return Compute<R>::exact(Function::of(native<T>(a), native<T>(b)));
  }
};
template <typename R, typename Function>
struct Bitwise<R, Function, false> {
  template <typename A, typename B>
  static constexpr R of(const A &a, const B &b) {
    return combine(words_of(a), words_of(b));
  }
  template <typename A, typename B>
  static constexpr R combine(const A &a, const B &b) {
    return R(Combined<A, B, Function>{a, b});
  }
};

template <typename A, typename B, typename R = typename BinaryResult<A, B>::Common>
constexpr R operator&(const A &a, const B &b) {
  return Bitwise<R, And>::of(a, b);
}
template <typename A, typename B, typename R = typename BinaryResult<A, B>::Common>
constexpr R operator|(const A &a, const B &b) {
  return Bitwise<R, Or>::of(a, b);
}
template <typename A, typename B, typename R = typename BinaryResult<A, B>::Common>
constexpr R operator^(const A &a, const B &b) {
  return Bitwise<R, Xor>::of(a, b);
}

template <typename A, typename O = Unary<A>, typename R = Computed<O::width + 1, true>>
constexpr R operator-(const A &a) {
  using T = TypeOf<R>;
  return Compute<R>::exact(T(0) - native<T>(a));
}
template <typename A, typename O = Unary<A>, typename R = Number<O::width, O::is_signed>>
constexpr R operator+(const A &a) {
  return R(a);
}
template <typename A, typename O = Unary<A>, typename R = Number<O::width, O::is_signed>>
constexpr R operator~(const A &a) {
  return R(Bitwise<Number<O::width, true>, Xor>::of(a, -1));
}
template <typename A, typename O = Unary<A>>
constexpr bool operator!(const A &a) {
  return a == 0;
}

// Comparison of what the numbers mean, whatever their signs: by native integers if one holds both, else by words.
template <typename A, typename B, bool IsNative = (Result<A, B>::common_width <= WordBits)>
struct Compare {
  using T = TypeOf<typename Result<A, B>::Common>;
  static constexpr bool equal(const A &a, const B &b) { return native<T>(a) == native<T>(b); }
  static constexpr bool less(const A &a, const B &b) { return native<T>(a) < native<T>(b); }
};
template <typename A, typename B>
struct Compare<A, B, false> {
  // One more than needed: the highest has nothing but the sign.
  static constexpr int words = Result<A, B>::common_width / WordBits + 1;
  static constexpr bool equal(const A &a, const B &b) {
    for (int i = words; i >= 0; i--) {
      if (words_of(a).word(i) != words_of(b).word(i)) return false;
    }
    return true;
  }
  static constexpr bool less(const A &a, const B &b) {
    const auto sign_a = static_cast<std::int64_t>(words_of(a).word(words));
    const auto sign_b = static_cast<std::int64_t>(words_of(b).word(words));
    if (sign_a != sign_b) return sign_a < sign_b;
    for (int i = words - 1; i >= 0; i--) {
      const std::uint64_t word_a = words_of(a).word(i);
      const std::uint64_t word_b = words_of(b).word(i);
      if (word_a != word_b) return word_a < word_b;
    }
    return false;
  }
};

template <typename A, typename B, typename = BinaryResult<A, B>>
constexpr bool operator==(const A &a, const B &b) {
  return Compare<A, B>::equal(a, b);
}
template <typename A, typename B, typename = BinaryResult<A, B>>
constexpr bool operator!=(const A &a, const B &b) {
  return !Compare<A, B>::equal(a, b);
}
template <typename A, typename B, typename = BinaryResult<A, B>>
constexpr bool operator<(const A &a, const B &b) {
  return Compare<A, B>::less(a, b);
}
template <typename A, typename B, typename = BinaryResult<A, B>>
constexpr bool operator>(const A &a, const B &b) {
  return Compare<B, A>::less(b, a);
}
template <typename A, typename B, typename = BinaryResult<A, B>>
constexpr bool operator<=(const A &a, const B &b) {
  return !Compare<B, A>::less(b, a);
}
template <typename A, typename B, typename = BinaryResult<A, B>>
constexpr bool operator>=(const A &a, const B &b) {
  return !Compare<A, B>::less(a, b);
}

// A count of a shift, cut off at +-limit; the other direction if it is negative.
template <typename Count>
constexpr int shift_count(const Count &count, int limit) {
  if (!Compare<Count, int>::less(count, limit)) return limit;
  if (!Compare<int, Count>::less(-limit, count)) return -limit;
  return native<int>(count);
}

// A sequence of words shifted left by `count`, right if it is negative.
template <typename A>
struct Shifted {
  const A &a;
  int words;  // shifted out to the left
  int bits;   // and so many bits, 0 to 63

  constexpr Shifted(const A &source, int count)
      : a(source),
        words((count - ((count % WordBits + WordBits) % WordBits)) / WordBits),
        bits((count % WordBits + WordBits) % WordBits) {}
  constexpr std::uint64_t below(int index) const { return index < 0 ? 0 : a.word(index); }
  constexpr std::uint64_t word(int index) const {
    const std::uint64_t high = below(index - words) << bits;
    return bits == 0 ? high : high | below(index - words - 1) >> (WordBits - bits);
  }
};

template <typename R, bool IsNative = (R::width <= WordBits)>
struct Shift {
  using Unsigned = Native<larger(R::width, 32), false>;
  static constexpr R left(const R &a, int count) {
    if (count < 0) return right(a, -count);
    return count == R::width ? R(0) : R(native<Unsigned>(a) << count);
  }
  static constexpr R right(const R &a, int count) {
    if (count < 0) return left(a, -count);
    const typename R::Storage value = a;
    return Compute<R>::exact(value >> (count == R::width ? R::width - 1 : count) >> (count == R::width ? 1 : 0));
  }
};
template <typename R>
struct Shift<R, false> {
  static constexpr R left(const R &a, int count) { return R(Shifted<R>(a, count)); }
  static constexpr R right(const R &a, int count) { return R(Shifted<R>(a, -count)); }
};

// The result has the type of the left operand; a negative count shifts the other way.
template <typename A, typename B, typename O = Unary<A>, int = Operand<B>::width,
          typename R = Number<O::width, O::is_signed>>
constexpr R operator<<(const A &a, const B &count) {
  return Shift<R>::left(R(a), shift_count(count, R::width));
}
template <typename A, typename B, typename O = Unary<A>, int = Operand<B>::width,
          typename R = Number<O::width, O::is_signed>>
constexpr R operator>>(const A &a, const B &count) {
  return Shift<R>::right(R(a), shift_count(count, R::width));
}

// Assignments compute modulo the range of the left side: compilers make vectors of sums in loops then.
template <typename R>
struct Assign {
  static_assert(R::width <= WordBits, "+= -= *= need 64 bits at most on the left");
  using Type = Native<smaller(R::width, WordBits), false>;
  // In which products do not overflow as int, to which narrower operands are promoted.
  using Wider = Native<larger(smaller(R::width, WordBits), 32), false>;
};

template <typename A, typename B, typename R = Assigned<A, B>>
constexpr R &operator+=(A &a, const B &b) {
  using T = typename Assign<R>::Type;
  return a = R(static_cast<T>(native<T>(a) + native<T>(b)));
}
template <typename A, typename B, typename R = Assigned<A, B>>
constexpr R &operator-=(A &a, const B &b) {
  using T = typename Assign<R>::Type;
  return a = R(static_cast<T>(native<T>(a) - native<T>(b)));
}
template <typename A, typename B, typename R = Assigned<A, B>>
constexpr R &operator*=(A &a, const B &b) {
  using T = typename Assign<R>::Wider;
  return a = R(native<T>(a) * native<T>(b));
}
template <typename A, typename B, typename R = Assigned<A, B>>
constexpr R &operator/=(A &a, const B &b) {
  using T = typename Divide<A, B, R::width>::Type;
  return a = R(divide(native<T>(a), native<T>(b)));
}
template <typename A, typename B, typename R = Assigned<A, B>>
constexpr R &operator%=(A &a, const B &b) {
  return a = R(a % b);
}
template <typename A, typename B, typename R = Assigned<A, B>>
constexpr R &operator&=(A &a, const B &b) {
  return a = R(a & b);
}
template <typename A, typename B, typename R = Assigned<A, B>>
constexpr R &operator|=(A &a, const B &b) {
  return a = R(a | b);
}
template <typename A, typename B, typename R = Assigned<A, B>>
constexpr R &operator^=(A &a, const B &b) {
  return a = R(a ^ b);
}
template <typename A, typename B, typename R = Assigned<A, B>>
constexpr R &operator<<=(A &a, const B &b) {
  return a = a << b;
}
template <typename A, typename B, typename R = Assigned<A, B>>
constexpr R &operator>>=(A &a, const B &b) {
  return a = a >> b;
}
template <typename A, typename R = Assigned<A, int>>
constexpr R &operator++(A &a) {
  return a += 1;
}
template <typename A, typename R = Assigned<A, int>>
constexpr R &operator--(A &a) {
  return a -= 1;
}
template <typename A, typename R = Assigned<A, int>>
constexpr R operator++(A &a, int) {
  const R before = a;
  a += 1;
  return before;
}
template <typename A, typename R = Assigned<A, int>>
constexpr R operator--(A &a, int) {
  const R before = a;
  a -= 1;
  return before;
}

// (a, b): the bits of a above those of b. Constant, so that nothing is assigned to what is not a and b.
template <typename A, typename B, typename OA = Unary<A>, typename OB = Unary<B>,
          typename R = ap_uint<OA::width + OB::width>>
constexpr const R operator,(const A &a, const B &b) {
  static_assert(IsVariable<A>::value || OA::width == 1, "cast a range to its width before it is concatenated");
  static_assert(IsVariable<B>::value || OB::width == 1, "cast a range to its width before it is concatenated");
  const R low = ap_uint<OB::width>(b);
  return R(R(a) << OB::width) | low;
}

}  // namespace light
}  // namespace finn

#endif
