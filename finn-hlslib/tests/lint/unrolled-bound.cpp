// bad
void use(int i);
void f(int num) {
  for (int i = 0; i < num; i++) { /*!*/
#pragma HLS unroll
    use(i);
  }
}

// good
void use(int i);
template <int N>
void f() {
  for (int i = 0; i < N; i++) {
#pragma HLS unroll
    use(i);
  }
}

// bad
void use(int i);
void f(int num) {
  for (int i = 0; i < 4; i++) {
#pragma HLS pipeline II = 1 style = flp
    for (int j = 0; j < num; j++) { /*!*/
#pragma HLS loop_tripcount max = 8
      use(i + j);
    }
    for (int k = 0; k < 4; k++) { /*!*/
#pragma HLS unroll factor = 2
      use(k);
    }
  }
}

// good
void use(int i);
void f(int num) {
  for (int i = 0; i < 4; i++) {
#pragma HLS pipeline II = 1 style = flp
    for (int j = 0; j < 8; j++) {
      if (j < num) use(i + j);
    }
  }
}
