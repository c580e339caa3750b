// bad
void use(int i);
void f() {
  while (true) { /*!*/
#pragma HLS pipeline II = 1 style = flp
    use(0);
  }
}

// good
void use(int i);
void f() {
  for (unsigned i = 0; i < 4; i += 2) {
#pragma HLS pipeline II = 1 style = flp
    use(i);
  }
}

// bad
void f(int &x) {
  do { /*!*/
#pragma HLS pipeline II = 1 style = flp
    x--;
  } while (x > 0);
}

// good
void use(int i);
void f() {
  for (int i = 8; i > 0; i--) {
#pragma HLS pipeline II = 1 style = flp
    use(i);
  }
}

// bad
void use(int i);
void f(int (&a)[4]) {
  for (int &i : a) { /*!*/
#pragma HLS pipeline II = 1 style = flp
    i = 0;
  }
}

// good
void use(int i);
void f() {
  for (int i = 0; i != 4; ++i) {
#pragma HLS pipeline II = 1 style = flp
    use(i);
  }
}

// bad
void use(int i);
void f() {
  for (int i = 0; i < 4; i++) { /*!*/
#pragma HLS pipeline II = 1 style = flp
    if (i == 2) i = 3;
  }
}

// good
void use(int i);
void f() {
  for (int i = 0; 4 > i; i++) {
#pragma HLS pipeline II = 1 style = flp
    use(i);
  }
}

// bad
void use(int i);
void f() {
  for (int i = 1; i < 64; i *= 2) { /*!*/
#pragma HLS pipeline II = 1 style = flp
    use(i);
  }
}

// good
void use(int i);
void f() {
  for (int i = 0; i < 4; i++) {
#pragma HLS pipeline II = 1 style = flp
    if (i == 2) use(i);
  }
}

// bad
void use(int i);
void f() {
  for (int i = 0; i < 4; i--) { /*!*/
#pragma HLS pipeline II = 1 style = flp
    use(i);
  }
}

// good
void use(int i);
void f() {
  for (int i = 3; i >= 0; i -= 1) {
#pragma HLS pipeline II = 1 style = flp
    use(i);
  }
}

// bad
void use(int i);
void f(int i) {
  for (i = 0; i < 4; i++) { /*!*/
#pragma HLS pipeline II = 1 style = flp
    use(i);
  }
}

// good
void use(int i);
void f() {
  for (int i = 0; i < 4; i++) {
#pragma HLS pipeline II = 1 style = flp
    use(i);
  }
}

// bad
void use(int i);
void f() {
  for (float i = 0; i < 4; i++) { /*!*/
#pragma HLS pipeline II = 1 style = flp
    use(0);
  }
}

// good
void use(int i);
void f() {
  for (short i = 0; i < 4; i++) {
#pragma HLS pipeline II = 1 style = flp
    use(i);
  }
}

// bad
void use(int i);
void f(bool x) {
  for (int i = 0; i < 4 && x; i++) { /*!*/
#pragma HLS pipeline II = 1 style = flp
    use(i);
  }
}

// good
void use(int i);
void f(bool x) {
  for (int i = 0; i < 4; i++) {
#pragma HLS pipeline II = 1 style = flp
    if (x) use(i);
  }
}
