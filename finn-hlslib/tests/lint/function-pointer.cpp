// bad
#include <functional>
int f(int (*g)(int),                      /*!*/
      const std::function<int(int)> &h) { /*!*/
  return g(1) + h(2);
}

// good
template <typename G>
int f(const G &g) {
  return g(1);
}

// bad
template <typename G>
int apply(G &g) { /*!*/
  return g(1);
}
int twice(int x) { return 2 * x; }
int f() { return apply(twice); }

// good
template <typename G>
int apply(G &g) {
  return g(1);
}
struct Twice {
  int operator()(int x) const { return 2 * x; }
};
int f() {
  const Twice twice;
  return apply(twice);
}

// bad
struct S {
  int x;
};
int f(S &s, int S::*p) { /*!*/ return s.*p; }

// good
struct S {
  int x;
};
int f(S &s) { return s.x; }
