// bad
int f(int n) {
  int a[n]; /*!*/
  a[0] = n;
  return a[0];
}
extern const int table[]; /*!*/

// good
template <int... Values>
int f(int n) {
  constexpr int Table[] = {Values...};
  int a[sizeof...(Values)] = {};
  a[0] = n;
  return a[0] + Table[0];
}
