// bad
void h(int &x) { /*!*/
  x = x + 1;
  x = x * 2;
}
void g(int &x) { h(x); }
void f(int &x) {
  for (int i = 0; i < 4; i++) {
#pragma HLS pipeline II = 1 style = flp
    g(x);
  }
}

// good
void h(int &x) {
#pragma HLS inline
  x = x + 1;
  x = x * 2;
}
int g(int x) { return 2 * x; }
void alone(int &x) {
  x = x + 1;
  x = x * 2;
}
void f(int &x) {
  alone(x);
  for (int i = 0; i < 4; i++) {
#pragma HLS pipeline II = 1 style = flp
    x = g(x);
    h(x);
  }
}

// bad
struct Kernel {
  void step(int &x) { /*!*/
    if (x > 0) x = x + 1;
  }
};
template <typename K>
void run(K &kernel, int &x) {
#pragma HLS pipeline II = 1 style = flp
  kernel.step(x);
}

// good
struct Kernel {
  void step(int &x) {
#pragma HLS inline off
    if (x > 0) x = x + 1;
  }
};
template <typename K>
void run(K &kernel, int &x) {
#pragma HLS pipeline II = 1 style = flp
  kernel.step(x);
}
