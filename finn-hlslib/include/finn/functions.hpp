// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Functions of two integers, elementwise; shifts are arithmetic.
//
// `F::of<Output>(a, b)` is exact, if Output holds the result.

#ifndef FINN_FUNCTIONS_HPP
#define FINN_FUNCTIONS_HPP

#include <finn/types.hpp>

namespace finn {

struct Add {
  template <typename Output, typename A, typename B>
  static Output of(const A &a, const B &b) {
    FINN_HLS(inline)
    return Output(a + b);
  }
};

struct Sub {
  template <typename Output, typename A, typename B>
  static Output of(const A &a, const B &b) {
    FINN_HLS(inline)
    return Output(a - b);
  }
};

struct Mul {
  template <typename Output, typename A, typename B>
  static Output of(const A &a, const B &b) {
    FINN_HLS(inline)
    return Output(a * b);
  }
};

struct Max {
  template <typename Output, typename A, typename B>
  static Output of(const A &a, const B &b) {
    FINN_HLS(inline)
    return less(b, a) ? Output(a) : Output(b);
  }
};

struct Min {
  template <typename Output, typename A, typename B>
  static Output of(const A &a, const B &b) {
    FINN_HLS(inline)
    return less(a, b) ? Output(a) : Output(b);
  }
};

struct AbsDiff {
  template <typename Output, typename A, typename B>
  static Output of(const A &a, const B &b) {
    FINN_HLS(inline)
    return less(b, a) ? Output(a - b) : Output(b - a);
  }
};

struct Equal {
  template <typename Output, typename A, typename B>
  static Output of(const A &a, const B &b) {
    FINN_HLS(inline)
    return Output(equal(a, b));
  }
};

struct Greater {
  template <typename Output, typename A, typename B>
  static Output of(const A &a, const B &b) {
    FINN_HLS(inline)
    return Output(less(b, a));
  }
};

struct GreaterOrEqual {
  template <typename Output, typename A, typename B>
  static Output of(const A &a, const B &b) {
    FINN_HLS(inline)
    return Output(!less(a, b));
  }
};

struct Less {
  template <typename Output, typename A, typename B>
  static Output of(const A &a, const B &b) {
    FINN_HLS(inline)
    return Output(less(a, b));
  }
};

struct LessOrEqual {
  template <typename Output, typename A, typename B>
  static Output of(const A &a, const B &b) {
    FINN_HLS(inline)
    return Output(!less(b, a));
  }
};

struct And {
  template <typename Output, typename A, typename B>
  static Output of(const A &a, const B &b) {
    FINN_HLS(inline)
    return Output((a != 0) && (b != 0));
  }
};

struct Or {
  template <typename Output, typename A, typename B>
  static Output of(const A &a, const B &b) {
    FINN_HLS(inline)
    return Output((a != 0) || (b != 0));
  }
};

struct Xor {
  template <typename Output, typename A, typename B>
  static Output of(const A &a, const B &b) {
    FINN_HLS(inline)
    return Output((a != 0) != (b != 0));
  }
};

struct BitwiseAnd {
  template <typename Output, typename A, typename B>
  static Output of(const A &a, const B &b) {
    FINN_HLS(inline)
    return Output(a & b);
  }
};

struct BitwiseOr {
  template <typename Output, typename A, typename B>
  static Output of(const A &a, const B &b) {
    FINN_HLS(inline)
    return Output(a | b);
  }
};

struct BitwiseXor {
  template <typename Output, typename A, typename B>
  static Output of(const A &a, const B &b) {
    FINN_HLS(inline)
    return Output(a ^ b);
  }
};

struct BitShiftLeft {
  template <typename Output, typename A, typename B>
  static Output of(const A &a, const B &b) {
    FINN_HLS(inline)
    return Output(ap_int<64>(a) << static_cast<int>(b));
  }
};

struct BitShiftRight {
  template <typename Output, typename A, typename B>
  static Output of(const A &a, const B &b) {
    FINN_HLS(inline)
    return Output(a >> static_cast<int>(b));
  }
};

// What a layer applies: a function with its operands in the order (stream, parameter), or the other way round.
//
// \tparam Function  one of the above
// \tparam Left      whether the parameter is the first operand
template <typename Function, bool Left>
struct Ordered {
  template <typename Output, typename X, typename Parameter>
  static Output of(const X &x, const Parameter &parameter) {
    FINN_HLS(inline)
    return Function::template of<Output>(number(x), number(parameter));
  }
};
template <typename Function>
struct Ordered<Function, true> {
  template <typename Output, typename X, typename Parameter>
  static Output of(const X &x, const Parameter &parameter) {
    FINN_HLS(inline)
    return Function::template of<Output>(number(parameter), number(x));
  }
};

}  // namespace finn

#endif
