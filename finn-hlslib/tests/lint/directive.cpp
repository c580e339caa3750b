// bad
void f(int (&a)[4]) {
#pragma HLS inlne /*!*/
  a[0] = 1;
}

// good
void f(int (&a)[4]) {
#pragma HLS INLINE
  a[0] = 1;
}

// bad
#include <ap_int.h>
#include <hls_stream.h>
#include <finn/pragma.hpp>
void f(int (&a)[4]) {
  FINN_HLS(arraypartition variable = a) /*!*/
  a[0] = 1;
}

// good
#include <finn/pragma.hpp>
void f(int (&a)[4]) {
  FINN_HLS(array_partition variable = a complete dim = 1)
  a[0] = 1;
}
