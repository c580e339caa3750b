// bad
int f(int x) {
  if (x < 0) throw 1; /*!*/
  return x;
}

// good
int f(int x) { return x < 0 ? 0 : x; }

// bad
template <typename T>
int f(T x) {
  try { /*!*/
    return x.read();
  } catch (int) { /*!*/
    return 0;
  }
}

// good
template <typename T>
int f(T x) {
  return x.empty() ? 0 : x.read();
}
