# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
#
# vitis_hls -f hls.tcl: C simulation, synthesis, simulation of the RTL against the same test bench, export as IP.

set flags "-std=c++14 -I[file normalize ../../include]"
open_project -reset build/project
set_top digits
add_files digits.cpp -cflags $flags
add_files -tb digits_tb.cpp -cflags $flags
open_solution -reset solution -flow_target vivado
set_part xczu3eg-sbva484-1-e
create_clock -period 5 -name default
csim_design
csynth_design
cosim_design
export_design -format ip_catalog
exit
