// bad
static int count = 0; /*!*/
namespace n {
int table[2] = {1, 2}; /*!*/
}
struct S {
  static int shared; /*!*/
};
int f() { return count++; }

// good
namespace n {
const int table[2] = {1, 2};
}
static constexpr int Count = 3;
struct S {
  static constexpr int Shared = 4;
  int own;
};
int f() { return Count + n::table[0]; }
