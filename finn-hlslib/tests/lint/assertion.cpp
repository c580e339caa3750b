// bad
void f(int x) { assert(x > 0); /*!*/ }

// good
template <int X>
void f() {
  static_assert(X > 0, "X must be positive");
}
