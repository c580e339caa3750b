// Plays the host of iodma_loop. Argument: bytes per repetition.
// Standard input: a run a line: source, destination, repetitions, stalls of 256 cycles, seed.
// Standard output: a line for each: cycles from start to done, broken rules of AXI4, status of the reading and of the
// writing engine, bytes of the memory that are not as they should be. Exit status 1 if a register is not what was written
// to it or a bit of the control register is wrong, 2 if a run does not end.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "Viodma_loop.h"
#include "Viodma_loop___024root.h"
#include "verilated.h"

namespace {

constexpr long kLimit = 400000;
VerilatedContext context;
Viodma_loop top{&context};
long cycle = 0;

void step() {
  top.clk_i = 0;
  top.eval();
  top.clk_i = 1;
  top.eval();
  ++cycle;
}

bool accepted(bool &valid, bool ready) {  // a channel whose valid is offered until it is taken
  const bool taken = valid && ready;
  if (taken) valid = false;
  return taken;
}

void write(int target, int address, uint32_t value) {
  top.target_i = target;
  top.awaddr = address;
  top.wdata = value;
  top.bready = 1;
  bool address_valid = true, data_valid = true;
  for (bool answered = false; !answered;) {
    top.awvalid = address_valid;
    top.wvalid = data_valid;
    top.eval();
    accepted(address_valid, top.awready);
    accepted(data_valid, top.wready);
    answered = top.bvalid;
    step();
  }
  top.awvalid = top.wvalid = top.bready = 0;
}

uint32_t read(int target, int address) {
  top.target_i = target;
  top.araddr = address;
  top.rready = 1;
  uint32_t value = 0;
  bool valid = true;
  for (bool answered = false; !answered;) {
    top.arvalid = valid;
    top.eval();
    accepted(valid, top.arready);
    answered = top.rvalid;
    value = top.rdata;
    step();
  }
  top.arvalid = top.rready = 0;
  return value;
}

void expect(uint32_t found, uint32_t wanted, const char *what) {
  if (found == wanted) return;
  std::fprintf(stderr, "%s: %x instead of %x\n", what, found, wanted);
  std::exit(1);
}

void set(int target, uint64_t address, uint32_t repetitions) {
  const uint32_t low = static_cast<uint32_t>(address), high = static_cast<uint32_t>(address >> 32);
  write(target, 0x10, low);
  write(target, 0x14, high);
  write(target, 0x1c, repetitions);
  expect(read(target, 0x10), low, "address, low");
  expect(read(target, 0x14), high, "address, high");
  expect(read(target, 0x1c), repetitions, "repetitions");
  expect(read(target, 0x00), 4, "control before a run");
}

void wait(int target) {
  for (long start = cycle;;) {
    const uint32_t control = read(target, 0x00);
    if (control == 6) break;  // done and idle
    expect(control, 1, "control during a run");
    if (cycle - start > kLimit) std::exit(2);
  }
  expect(read(target, 0x00), 4, "control after done was read");
}

}  // namespace

int main(int argc, char **argv) {
  if (argc != 2) return 3;
  const uint64_t bytes = std::strtoull(argv[1], nullptr, 0);
  top.rst_ni = 0;
  for (int i = 0; i < 4; ++i) step();
  top.rst_ni = 1;
  auto &memory = top.rootp->iodma_loop__DOT__u_memory__DOT__bytes_q;
  constexpr size_t size = sizeof memory;
  unsigned long long source, destination;
  unsigned repetitions, stalls, seed;
  while (std::scanf("%llu %llu %u %u %u", &source, &destination, &repetitions, &stalls, &seed) == 5) {
    std::mt19937 random(seed);
    context.randSeed(static_cast<int>(seed));
    std::vector<uint8_t> wanted(size);
    for (size_t i = 0; i < size; ++i) wanted[i] = memory[i] = static_cast<uint8_t>(random());
    for (uint64_t i = 0; i < bytes * repetitions && destination + i < size; ++i)
      wanted[destination + i] = wanted[(source + i) % size];
    top.stall_i = static_cast<uint8_t>(stalls);
    set(0, source, repetitions);
    set(1, destination, repetitions);
    write(1, 0x00, 1);
    const long start = cycle;
    write(0, 0x00, 1);
    wait(1);
    const long end = cycle;
    wait(0);
    for (int i = 0; i < 100; ++i) step();  // nothing may come late
    long wrong = 0;
    for (size_t i = 0; i < size; ++i) wrong += memory[i] != wanted[i];
    std::printf("%ld %u %u %u %ld\n", end - start, top.errors_o, read(0, 0x20), read(1, 0x20), wrong);
  }
  return 0;
}
