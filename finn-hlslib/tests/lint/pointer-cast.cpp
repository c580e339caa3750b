// bad
int f(float &x) { return reinterpret_cast<int &>(x); /*!*/ }

// good
int f(float x) { return static_cast<int>(x); }

// bad
int f(float &x) { return *(int *)&x; /*!*/ }

// good
int f(float x) { return (int)x; }
