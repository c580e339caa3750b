// bad
int f(int x) {
  int a[4] = {}; /*!*/
  for (int i = 0; i < 4; i++) {
#pragma HLS unroll
    a[i] = x;
  }
  return a[3];
}

// good
int f(int x) {
  int a[4] = {};
#pragma HLS array_partition variable = a
  for (int i = 0; i < 4; i++) {
#pragma HLS unroll
    a[i] = x;
  }
  return a[3];
}

// bad
template <typename T, int N>
class S {
 public:
  void f(const T &x) {
    T(&row)[N] = a_[0];
    for (int i = 0; i < N; i++) {
#pragma HLS unroll
      row[i] = x;
    }
  }

 private:
  T a_[2][N]; /*!*/
};
class Other {
  void f() {
#pragma HLS array_partition variable = a_
  }
  int a_[3];
};

// good
template <typename T, int N>
class S {
 public:
  S() {
#pragma HLS array_partition variable = a_ dim = 2
  }
  void f(const T &x) {
    T(&row)[N] = a_[0];
    for (int i = 0; i < N; i++) {
#pragma HLS unroll
      row[i] = x;
    }
  }

 private:
  T a_[2][N];
};

// bad
void f(int x) {
  static int a[4]; /*!*/
#pragma HLS pipeline II = 1 style = flp
  for (int i = 0; i < 4; i++) a[i] += x;
}

// good
void f(int x) {
  static int a[4];
#pragma HLS array_reshape variable = a complete
#pragma HLS pipeline II = 1 style = flp
  for (int i = 0; i < 4; i++) a[i] += x;
}

// bad
template <typename T>
struct Table {
  T at[4][4]; /*!*/
  const T &element(int word, int lane) const { return at[word][lane]; }
};
template <typename Entries>
int f(const Entries &entries, int word) {
  int sum = 0;
  for (int i = 0; i < 4; i++) {
#pragma HLS unroll
    sum += entries.element(word, i);
  }
  return sum;
}

// good
template <typename T>
struct Table {
  T at[4][4];
  const T &element(int word, int lane) const {
#pragma HLS inline
#pragma HLS array_partition variable = at dim = 2
    return at[word][lane];
  }
};
template <typename Entries>
int f(const Entries &entries, int word) {
  int sum = 0;
  for (int i = 0; i < 4; i++) {
#pragma HLS unroll
    sum += entries.element(word, i);
  }
  return sum;
}

// bad
template <typename Entries>
int f(const Entries &entries, int word) { /*!*/
  int sum = 0;
  for (int i = 0; i < 4; i++) {
#pragma HLS unroll
    sum += entries.at[word][i];
  }
  return sum;
}

// good
template <typename Beat>
int f(const Beat &beat) {
  int sum = 0;
  for (int i = 0; i < 4; i++) {
#pragma HLS unroll
    for (int j = 0; j < 2; j++) {
#pragma HLS unroll
      sum += beat.lane[i][j];
    }
  }
  return sum;
}
