// Plays the device at the other end of the serial link of finn_top.
// Arguments: bits of an input beat, bits of an output beat, pause and stall probability in percent, seed.
// Standard input: one beat a line, as bits, first bit sent first. Standard output: the beats that came back, likewise.
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <random>
#include <string>
#include <vector>

#include "Vfinn_top.h"
#include "verilated.h"

int main(int argc, char** argv) {
  if (argc != 6) return 2;
  const size_t in_width = std::atoi(argv[1]), out_width = std::atoi(argv[2]);
  const unsigned pause = std::atoi(argv[3]), stall = std::atoi(argv[4]);
  std::mt19937 random(std::atoi(argv[5]));
  std::vector<std::string> beats;
  for (std::string line; std::getline(std::cin, line);) beats.push_back(line);

  Vfinn_top top;
  size_t beat = 0, bit = 0, received = 0;
  std::string answer;
  const long limit = 1000 + 20L * static_cast<long>(beats.size() * (in_width + out_width));
  for (long cycle = 0; cycle < limit && received < beats.size(); ++cycle) {
    top.clk = 0;
    top.reset = cycle == 200;  // the button is pressed once, before the first beat
    top.eval();
    const bool may_send = cycle > 220 && beat < beats.size() && (bit > 0 || top.si_ready);
    const bool send = may_send && random() % 100 >= pause;
    top.si_valid = send;
    top.si_data = send ? beats[beat][bit] == '1' : random() & 1;
    top.so_ready = random() % 100 >= stall;
    if (send && ++bit == in_width) {
      bit = 0;
      ++beat;
    }
    if (top.so_valid) answer += top.so_data ? '1' : '0';
    else if (!answer.empty() && answer.size() != out_width) return 3;  // a beat was interrupted
    if (answer.size() == out_width) {
      std::puts(answer.c_str());
      answer.clear();
      ++received;
    }
    top.eval();
    top.clk = 1;
    top.eval();
  }
  return received == beats.size() ? 0 : 4;
}
