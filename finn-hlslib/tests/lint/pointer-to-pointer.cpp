// bad
int f(int **x) { /*!*/ return **x; }
struct S {
  int *rows[4]; /*!*/
};

// good
int f(const int *x) { return *x; }
struct S {
  int rows[4][8];
};
