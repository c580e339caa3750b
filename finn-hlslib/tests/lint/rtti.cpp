// bad
struct A {
  virtual void g() {}
};
struct B : A {};
B &f(A &a) { return dynamic_cast<B &>(a); /*!*/ }

// good
struct A {};
struct B : A {};
B &f(A &a) { return static_cast<B &>(a); }
