// bad
int f(int x) {
  int y = 3; /*!*/
  return x;
}

// good
int f(int x) {
  const char y = x;
  return y;
}

// bad
int f(int x) {
#ifndef __SYNTHESIS__
  if (x = 3) return 1; /*!*/
#endif
  return x;
}

// good
int f(int x) { return x == 3 ? 1 : x; }
