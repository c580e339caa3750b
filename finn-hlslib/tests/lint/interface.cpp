// bad
void f(int &a) {
#pragma HLS interface port = a /*!*/
  a = 1;
}

// good
void f(int &a) {
#pragma HLS interface mode = ap_none port = a
#pragma HLS INTERFACE ap_ctrl_none port = return
  a = 1;
}

// bad
static void helper(int &a) {
#pragma HLS interface ap_none port = a /*!*/
  a = 1;
}
struct S {
  void step(int &a) {
#pragma HLS interface ap_none port = a /*!*/
    a = 1;
  }
};
void top(int &a) { helper(a); }

// good
static void helper(int &a) { a = 1; }
namespace n {
void top(int &a) {
#pragma HLS interface ap_none port = a
  helper(a);
}
}  // namespace n
