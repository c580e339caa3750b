// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Lists of numbers as parameters.

#ifndef FINN_LIST_HPP
#define FINN_LIST_HPP

namespace finn {

// \tparam Numbers  the elements, at least one
template <int... Numbers>
struct List {
  static constexpr unsigned size = sizeof...(Numbers);
  static constexpr int at(unsigned index) {
    constexpr int Values[] = {Numbers...};
    return Values[index];
  }
  static constexpr int greatest() {
    int result = at(0);
    for (unsigned index = 1; index < size; index++) {
      if (at(index) > result) result = at(index);
    }
    return result;
  }
  // What is left of an element that is divided by Divisor.
  template <int Divisor>
  static constexpr int rest(unsigned index) {
    constexpr int Values[] = {(Numbers % Divisor)...};
    return Values[index];
  }
};

}  // namespace finn

#endif
