// bad
void f(int (&a)[4]) {
#pragma HLS array_partition variable = a complte /*!*/
  a[0] = 1;
}

// good
void f(int (&a)[4]) {
#pragma HLS array_partition variable = a type = complete
  a[0] = 1;
}

// bad
void f(int (&a)[4]) {
#pragma HLS array_partition complete /*!*/
  a[0] = 1;
}

// good
void f(int (&a)[4]) {
#pragma HLS array_partition variable = a cyclic factor = (1 + 1)
  a[0] = 1;
}

// bad
void f(int (&a)[4]) {
#pragma HLS stream variable = a type = queue /*!*/
  a[0] = 1;
}

// good
void f(int (&a)[4]) {
#pragma HLS dependence variable = a inter false
  a[0] = 1;
}

// bad
void f(int (&a)[4]) {
#pragma HLS pipeline II style = flp /*!*/
  a[0] = 1;
}

// good
void f(int (&a)[4]) {
#pragma HLS pipeline II = 1 style = frp
  a[0] = 1;
}

// bad
void f(int (&a)[4]) {
#pragma HLS pipeline II = 1 style = fast /*!*/
  a[0] = 1;
}

// good
void f(int (&a)[4]) { _Pragma("HLS pipeline II = 1 style = stp") a[0] = 1; }

// bad
void f(int (&a)[4]) {
#pragma HLS unroll factor(2) /*!*/
  for (int i = 0; i < 4; i++) a[i] = 0;
}

// good
void f(int (&a)[4]) {
  for (int i = 0; i < 4; i++) {
#pragma HLS unroll factor = 2
    a[i] = 0;
  }
}
