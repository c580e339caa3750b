// bad
void use(int i);
void f() {
  for (int i = 0; i < 4; i++) {
#pragma HLS pipeline II = 1 style = flp
    if (i == 2) break; /*!*/
    switch (i) {
      case 1:
        use(i);
        break;
      default:
        use(0);
    }
  }
}

// good
void use(int i);
void f() {
  for (int i = 0; i < 4; i++) {
#pragma HLS pipeline II = 1 style = flp
    switch (i) {
      case 1:
        use(i);
        break;
      default:
        use(0);
    }
  }
}

// bad
int f(const int (&a)[4]) {
  for (int i = 0; i < 4; i++) {
#pragma HLS pipeline II = 1 style = flp
    if (a[i] == 0) return i; /*!*/
  }
  return 4;
}

// good
int f(const int (&a)[4]) {
  int found = 4;
  for (int i = 0; i < 4; i++) {
#pragma HLS pipeline II = 1 style = flp
    if (a[i] == 0 && found == 4) found = i;
  }
  return found;
}
