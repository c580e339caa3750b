// bad
#include <finn/sim/ap_int.h> /*!*/
#include <vector>            /*!*/

// good
#include <ap_int.h>
#include <hls_stream.h>
#include <cstdint>
#include <finn/stream.hpp>
#ifndef __SYNTHESIS__
#include <cstdio>
#endif
