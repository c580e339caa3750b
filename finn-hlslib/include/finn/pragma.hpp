// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Directives for the HLS compiler: FINN_HLS(pipeline II = 1 style = flp) is #pragma HLS pipeline II = 1 style = flp.
//
// Other compilers do not see them, so that nobody has to switch a warning off.

#ifndef FINN_PRAGMA_HPP
#define FINN_PRAGMA_HPP

#ifdef __SYNTHESIS__
#define FINN_PRAGMA(text) _Pragma(#text)
#define FINN_HLS(...) FINN_PRAGMA(HLS __VA_ARGS__)
#else
#define FINN_HLS(...)
#endif

#endif
