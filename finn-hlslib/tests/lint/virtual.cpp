// bad
struct A {
  virtual int f() { return 0; } /*!*/
};
struct B : A {
  int f() { return 1; } /*!*/
};

// good
template <typename Self>
struct A {
  int f() { return static_cast<Self *>(this)->g(); }
};
struct B : A<B> {
  int g() { return 1; }
};
