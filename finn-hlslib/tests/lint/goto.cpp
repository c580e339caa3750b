// bad
int f(int x) {
  if (x) goto end; /*!*/
  x = 3;
end:
  return x;
}

// good
int f(int x) { return x ? x : 3; }
