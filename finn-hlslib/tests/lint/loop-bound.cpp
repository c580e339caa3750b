// bad
void use(int i);
void f(int x) {
  for (int i = 0; i < x; i++) { /*!*/
#pragma HLS pipeline II = 1 style = flp
    use(i);
  }
}

// good
void use(int i);
template <typename Config>
void f() {
  constexpr int N = Config::N / 2;
  for (int i = Config::First; i + 1 < N; i++) {
#pragma HLS pipeline II = 1 style = flp
    use(i);
  }
}

// bad
void use(int i);
void f(int x) {
  for (int i = x; i < 4; i++) { /*!*/
#pragma HLS pipeline II = 1 style = flp
    use(i);
  }
}

// good
void use(int i);
struct S {
  template <int N>
  void f() {
    for (int i = Start; i < N + 1; i++) {
#pragma HLS unroll
      use(i);
    }
  }
  static constexpr int Start = 2;
};

// bad
void use(int i);
void f(int num_frames) {
  for (int i = 0; i < num_frames; i++) { /*!*/
#pragma HLS pipeline II = 1 style = flp
    use(i);
  }
}

// good
void use(int i);
void f(int num_frames) {
  for (int i = 0; i < num_frames; i++) {
#pragma HLS loop_tripcount max = 1000
#pragma HLS pipeline II = 1 style = flp
    use(i);
  }
}

// bad
void use(int i);
void f(int x) {
  for (int i = 0; i + x < 4; i++) { /*!*/
#pragma HLS pipeline II = 1 style = flp
    use(i);
  }
}

// good
constexpr int total(int n) {
  int sum = 0;
  for (int i = 0; i < n; i++) sum += i;
  return sum;
}
static_assert(total(3) == 3, "0 + 1 + 2");
