// bad
void f(bool x) {
#pragma HLS array_partition variable = a /*!*/
  int a[4] = {};
  if (x) {
    int b[4] = {};
    b[0] = a[1];
  }
#pragma HLS array_partition variable = b /*!*/
}

// good
static const int table[4] = {1, 2, 3, 4};
struct Base {
  int c[4];
};
struct S : Base {
  int f(int (&p)[4]) {
    int a[4] = {};
#pragma HLS array_partition variable = a
#pragma HLS array_partition variable = p
#pragma HLS array_partition variable = this->b
#pragma HLS array_partition variable = c
#pragma HLS array_partition variable = table
    return a[0] + b[0] + c[0] + p[0] + table[0];
  }
  int b[4];
};
