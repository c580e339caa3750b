// bad
// finn-lint: allow goto because it is Tuesday /*!*/
int f();
// finn-lint: allow everything please /*!*/
int g();

// good
int f(int x) {
  if (x) goto end;  // finn-lint: allow goto the example needs it
  x = 3;
end:
  return x;
}

// bad
int f(int x) {
  if (x) goto end; /*!*/  // finn-lint: allow goto
  x = 3;
end:
  return x;
}

// good
template <int N>
int f() {
  // finn-lint: allow static-local all instances count together
  static int count = N;
  return ++count;
}
