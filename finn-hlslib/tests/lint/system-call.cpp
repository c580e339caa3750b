// bad
#include <cstdio>
#include <ctime>
void f() {
  std::printf("x");   /*!*/
  std::time(nullptr); /*!*/
}

// good
#include <utility>
void f(int &a, int &b) { std::swap(a, b); }

// bad
#include <iostream>
void f() { std::cout.flush(); /*!*/ }

// good
struct Out {
  void flush() {}
};
void f(Out &cout) { cout.flush(); }
