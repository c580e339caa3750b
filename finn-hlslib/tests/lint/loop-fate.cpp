// bad
void use(int i);
void f() {
  for (int i = 0; i < 4; i++) { /*!*/
    use(i);
  }
}

// good
void use(int i);
void f() {
#pragma HLS pipeline II = 1 style = flp
  for (int i = 0; i < 4; i++) {
    use(i);
  }
}

// bad
void use(int i);
void f() {
  for (int i = 0; i < 4; i++) { /*!*/
    for (int j = 0; j < 2; j++) {
#pragma HLS unroll
      use(i + j);
    }
  }
}

// good
void use(int i);
void f() {
  for (int i = 0; i < 4; i++) {
    for (int j = 0; j < 2; j++) {
#pragma HLS pipeline II = 1 style = flp
      for (int k = 0; k < 2; k++) use(i + j + k);
    }
  }
}

// bad
void use(int i);
void f() {
  for (int i = 0; i < 4; i++) {
#pragma HLS pipeline II = 1 style = flp
    for (int j = 0; j < 2; j++) { /*!*/
#pragma HLS pipeline II = 1 style = flp
      use(i + j);
    }
  }
}

// good
void use(int i);
void f() {
  for (int i = 0; i < 4; i++) {
#pragma HLS unroll
    for (int j = 0; j < 2; j++) {
#pragma HLS unroll
      use(i + j);
    }
  }
}

// bad
void use(int i);
void f() {
  for (int i = 0; i < 4; i++) { /*!*/
#pragma HLS pipeline off
    use(i);
  }
  for (int i = 0; i < 4; i++) { /*!*/
#pragma HLS unroll off = true
    use(i);
  }
}

// good
void use(int i);
void f() {
  const auto twice = [](int i) {
    for (int j = 0; j < 2; j++) {
#pragma HLS unroll
      use(2 * i + j);
    }
  };
  for (int i = 0; i < 4; i++) {
#pragma HLS pipeline II = 1 style = flp
    twice(i);
  }
}
