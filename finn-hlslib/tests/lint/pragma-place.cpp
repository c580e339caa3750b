// bad
#pragma HLS inline /*!*/
void f(int (&a)[4]) {
#pragma HLS unroll /*!*/
  a[0] = 1;
}
struct S {
  int a[4];
#pragma HLS array_partition variable = a /*!*/
};

// good
struct S {
  S() {
#pragma HLS array_partition variable = a
    a[0] = 0;
  }
  int a[4];
};

// bad
void f(int (&a)[4], bool x) {
  if (x) {
#pragma HLS pipeline II = 1 style = flp /*!*/
    a[0] = 1;
  }
  for (int i = 0; i < 4; i++) {
#pragma HLS inline /*!*/
#pragma HLS unroll
    a[i] = 1;
  }
}

// good
void f(int (&a)[4], bool x) {
#pragma HLS pipeline II = 1 style = flp
  if (x) {
#pragma HLS latency min = 1
    a[0] = 1;
  }
}
