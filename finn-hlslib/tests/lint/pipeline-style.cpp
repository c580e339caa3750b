// bad
void f(int (&a)[4]) {
#pragma HLS pipeline II = 1 /*!*/
  a[0] = 1;
}
void g(int (&a)[4]) {
#pragma HLS pipeline style = flp /*!*/
  a[0] = 1;
}

// good
void f(int (&a)[4]) {
#pragma HLS pipeline off
  a[0] = 1;
}
