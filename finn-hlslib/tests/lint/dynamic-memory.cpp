// bad
int f() {
  int *x = new int(3); /*!*/
  const int y = *x;
  delete x; /*!*/
  return y;
}

// good
int f() {
  int x[1] = {3};
  return x[0];
}
struct S {
  S(const S &) = delete;
};

// bad
#include <memory>
#include <string>
#include <vector>
void f(std::vector<int> &x,     /*!*/
       std::unique_ptr<int> &y, /*!*/
       std::string &z);         /*!*/

// good
#include <array>
void f(std::array<int, 4> &x);

// bad
#include <cstdlib>
void *f() { return malloc(4); /*!*/ }

// good
struct Pool {
  int *malloc(int) { return memory; }
  int memory[4];
};
int *f(Pool &pool) { return pool.malloc(4); }
