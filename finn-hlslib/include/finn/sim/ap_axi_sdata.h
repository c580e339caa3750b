// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Transfers of an AXI4-Stream with side channels, for simulation, where the vendor's header is not at hand (UG1399,
// "AXI4-Stream Interfaces with Side-Channels").

#ifndef FINN_SIM_AP_AXI_SDATA_H
#define FINN_SIM_AP_AXI_SDATA_H

#include "ap_int.h"

namespace finn {
namespace light {

// A side channel of no bits, which can neither be read nor written.
struct Absent {};

template <int Width>
struct SideChannel {
  using Type = ap_uint<Width>;
};
template <>
struct SideChannel<0> {
  using Type = Absent;
};

}  // namespace light
}  // namespace finn

namespace hls {

// \tparam T      type of the data: an ap_int, an ap_uint or a native integer
// \tparam WUser  bits of TUSER; 0 if there is none
// \tparam WId    bits of TID; 0 if there is none
// \tparam WDest  bits of TDEST; 0 if there is none
template <typename T, int WUser = 0, int WId = 0, int WDest = 0>
struct axis {
  static constexpr int bytes = (finn::light::Operand<T>::width + 7) / 8;

  T data;
  ap_uint<bytes> keep;
  ap_uint<bytes> strb;
  typename finn::light::SideChannel<WUser>::Type user;
  ap_uint<1> last;
  typename finn::light::SideChannel<WId>::Type id;
  typename finn::light::SideChannel<WDest>::Type dest;
};
template <typename T, int WUser, int WId, int WDest>
constexpr int axis<T, WUser, WId, WDest>::bytes;

}  // namespace hls

// Signed and unsigned data.
template <int WData, int WUser, int WId, int WDest>
using ap_axis = hls::axis<ap_int<WData>, WUser, WId, WDest>;
template <int WData, int WUser, int WId, int WDest>
using ap_axiu = hls::axis<ap_uint<WData>, WUser, WId, WDest>;

#endif
