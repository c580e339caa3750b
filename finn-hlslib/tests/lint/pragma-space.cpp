// bad
void f(int (&a)[4]) {
#pragma AP inline /*!*/
  a[0] = 1;
}

// good
void f(int (&a)[4]) {
#pragma HLS inline
  a[0] = 1;
}
