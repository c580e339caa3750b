// bad
template <int N>
int f() {
  static int count = N; /*!*/
  return ++count;
}
template <int N>
struct S {
  int next() {
    static int count = N; /*!*/
    return ++count;
  }
};

// good
template <int N>
int f(int &count) {
  static const int Step = N;
  return count += Step;
}
int top() {
  static int count = 0;
  return f<3>(count);
}
