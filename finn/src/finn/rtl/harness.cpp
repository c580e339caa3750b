// Drives a Verilator model of a stitched design with whole batches of AXI4-Stream beats, behind a C interface.
//
// Compiled together with the model in one translation unit. "ports.h" is generated per design and defines
//   FINN_INPUTS(P), FINN_OUTPUTS(P)   P(index, port prefix, 32-bit words per beat)
//   FINN_PROBES(P)                    P(index, name of a stream_probe in the model)
//   FINN_FIFOS(P)                     P(index, name of a streaming_fifo in the model)
//   FINN_CHECKSUMS(P)                 P(index, name of a checksum in the model)
//   FINN_CONSTANTS(P)                 P(index, port prefix, 32-bit words per beat) of inputs that get the same beats
//   again
//                                     and again; indices go on behind those of FINN_INPUTS
//   FINN_REGISTERS(P)                 P(index, prefix of an AXI4-Lite port)
//   FINN_INPUT_COUNT (with constants), FINN_OUTPUT_COUNT
// All outputs of a design are functions of registers, so they may be sampled before the clock edge without a settling
// evaluation in between.
#include <unistd.h>

#include <climits>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <type_traits>

#if FINN_TRACE
#include "verilated_fst_c.h"
#endif
#include "ports.h"

namespace {

template <class Port>
void put(Port &port, const uint32_t *words, int count) {
  if constexpr (std::is_integral_v<Port>) {
    uint64_t value = words[0];
    if (count > 1) value |= static_cast<uint64_t>(words[1]) << 32;
    port = static_cast<Port>(value);
  } else {
    std::memcpy(&port[0], words, sizeof(uint32_t) * static_cast<size_t>(count));
  }
}

template <class Port>
void get(const Port &port, uint32_t *words, int count) {
  if constexpr (std::is_integral_v<Port>) {
    words[0] = static_cast<uint32_t>(port);
    if (count > 1) words[1] = static_cast<uint32_t>(static_cast<uint64_t>(port) >> 32);
  } else {
    std::memcpy(words, &port[0], sizeof(uint32_t) * static_cast<size_t>(count));
  }
}

struct Random {  // xorshift64 (Marsaglia 2003)
  uint64_t state;
  uint32_t next() {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return static_cast<uint32_t>(state >> 32);
  }
};

struct Simulation {
  VerilatedContext context;
  std::unique_ptr<FINN_MODEL> model;
  uint64_t time = 0;
#if FINN_TRACE
  VerilatedFstC trace;
#endif
  void step() {
    model->ap_clk = 1;
    model->eval();
#if FINN_TRACE
    trace.dump(time);
#endif
    model->ap_clk = 0;
    model->eval();
#if FINN_TRACE
    trace.dump(time + 1);
#endif
    time += 2;
  }
};

constexpr int kAccessLimit = 1000;  // cycles for an access to a register

// One write on AXI4-Lite; false if there is no answer.
template <class Address>
bool write_register(Simulation &sim, uint32_t address, uint32_t word, Address &awaddr, CData &awvalid, CData &awready,
                    IData &wdata, CData &wstrb, CData &wvalid, CData &wready, CData &bvalid, CData &bready) {
  awaddr = static_cast<Address>(address);
  wdata = word;
  wstrb = 0xf;
  awvalid = wvalid = bready = 1;
  for (int cycle = 0; cycle < kAccessLimit; ++cycle) {
    const bool address_taken = awvalid && awready;
    const bool word_taken = wvalid && wready;
    const bool answered = bvalid;
    sim.step();
    if (address_taken) awvalid = 0;
    if (word_taken) wvalid = 0;
    if (answered) return true;
  }
  return false;
}

// One read.
template <class Address>
bool read_register(Simulation &sim, uint32_t address, uint32_t &word, Address &araddr, CData &arvalid, CData &arready,
                   IData &rdata, CData &rvalid, CData &rready) {
  araddr = static_cast<Address>(address);
  arvalid = rready = 1;
  for (int cycle = 0; cycle < kAccessLimit; ++cycle) {
    const bool address_taken = arvalid && arready;
    const bool answered = rvalid;
    word = rdata;
    sim.step();
    if (address_taken) arvalid = 0;
    if (answered) return true;
  }
  return false;
}

struct Side {  // one stream port during a run
  int64_t beats = 0;
  int64_t done = 0;
  bool valid = false;   // input: a beat is offered; output: ready is offered
  bool loaded = false;  // input: its data are on the port
};

}  // namespace

extern "C" {

struct FinnStream {
  uint32_t *words;
  int64_t beats;
  int64_t *cycles;  // of each accepted beat
  int64_t done;     // out: beats transferred
};

// Makes and resets a model; `directory` holds the memory files, `trace_file` may be null. Null if it cannot be entered.
void *finn_sim_new(const char *directory, const char *trace_file) {
  char before[PATH_MAX];
  if (getcwd(before, sizeof before) == nullptr || chdir(directory) != 0) return nullptr;
  auto sim = std::make_unique<Simulation>();
#if FINN_TRACE
  sim->context.traceEverOn(trace_file != nullptr);
#endif
  sim->model = std::make_unique<FINN_MODEL>(&sim->context);
#if FINN_TRACE
  if (trace_file != nullptr) {
    sim->model->trace(&sim->trace, 99);
    sim->trace.open(trace_file);
  }
#else
  (void)trace_file;
#endif
  FINN_MODEL &top = *sim->model;
  top.ap_clk = 0;
  top.ap_rst_n = 0;
#define RESET_INPUT(i, port, count) top.port##_tvalid = 0;
  FINN_INPUTS(RESET_INPUT)
  FINN_CONSTANTS(RESET_INPUT)
#define RESET_REGISTERS(i, port) \
  top.port##_awvalid = top.port##_wvalid = top.port##_bready = top.port##_arvalid = top.port##_rready = 0;
  FINN_REGISTERS(RESET_REGISTERS)
#define RESET_OUTPUT(i, port, count) top.port##_tready = 0;
  FINN_OUTPUTS(RESET_OUTPUT)
  top.eval();
  for (int i = 0; i < 4; ++i) sim->step();
  top.ap_rst_n = 1;
  sim->step();
  const bool back = chdir(before) == 0;
  return back ? sim.release() : nullptr;
}

void finn_sim_free(void *handle) {
  auto *sim = static_cast<Simulation *>(handle);
  sim->model->final();
#if FINN_TRACE
  sim->trace.close();
#endif
  delete sim;
}

// Sends and receives until every port has its beats. gap, pause: probability * 2^32 that an input is not valid, an
// output not ready, in a cycle. Returns the cycles run; -1 after `max_cycles`; -2 if no port moved for `idle_limit`
// cycles.
int64_t finn_sim_run(void *handle, FinnStream *inputs, FinnStream *outputs, uint32_t gap, uint32_t pause, uint64_t seed,
                     int64_t max_cycles, int64_t idle_limit) {
  auto *sim = static_cast<Simulation *>(handle);
  FINN_MODEL &top = *sim->model;
  Random random{seed * 2654435761u + 88172645463325252ull};
  Side in[FINN_INPUT_COUNT];
  Side out[FINN_OUTPUT_COUNT];
  int64_t missing = 0;
#define COUNT_INPUT(i, port, count) \
  in[i].beats = inputs[i].beats;    \
  missing += inputs[i].beats;
  FINN_INPUTS(COUNT_INPUT)
#define COUNT_CONSTANT(i, port, count) in[i].beats = inputs[i].beats;
  FINN_CONSTANTS(COUNT_CONSTANT)
#define COUNT_OUTPUT(i, port, count) \
  out[i].beats = outputs[i].beats;   \
  missing += outputs[i].beats;
  FINN_OUTPUTS(COUNT_OUTPUT)

  int64_t cycle = 0;
  int64_t idle = 0;
  for (; missing > 0 && cycle < max_cycles && idle < idle_limit; ++cycle, ++idle) {
#define DRIVE_INPUT(i, port, count)                                          \
  {                                                                          \
    Side &side = in[i];                                                      \
    if (side.done < side.beats) {                                            \
      if (!side.valid) side.valid = gap == 0 || random.next() >= gap;        \
      top.port##_tvalid = side.valid;                                        \
      if (side.valid && !side.loaded) {                                      \
        put(top.port##_tdata, inputs[i].words + side.done * (count), count); \
        side.loaded = true;                                                  \
      }                                                                      \
      if (side.valid && top.port##_tready) {                                 \
        inputs[i].cycles[side.done++] = cycle;                               \
        side.valid = side.loaded = false;                                    \
        --missing;                                                           \
        idle = 0;                                                            \
      }                                                                      \
    } else {                                                                 \
      top.port##_tvalid = 0;                                                 \
    }                                                                        \
  }
    FINN_INPUTS(DRIVE_INPUT)
#define DRIVE_CONSTANT(i, port, count)                                     \
  {                                                                        \
    Side &side = in[i];                                                    \
    if (!side.valid) side.valid = gap == 0 || random.next() >= gap;        \
    top.port##_tvalid = side.valid;                                        \
    if (side.valid && !side.loaded) {                                      \
      put(top.port##_tdata, inputs[i].words + side.done * (count), count); \
      side.loaded = true;                                                  \
    }                                                                      \
    if (side.valid && top.port##_tready) {                                 \
      if (++side.done == side.beats) side.done = 0;                        \
      side.valid = side.loaded = false;                                    \
    }                                                                      \
  }
    FINN_CONSTANTS(DRIVE_CONSTANT)
#define DRIVE_OUTPUT(i, port, count)                                                     \
  {                                                                                      \
    Side &side = out[i];                                                                 \
    const bool ready = side.done < side.beats && (pause == 0 || random.next() >= pause); \
    top.port##_tready = ready;                                                           \
    if (ready && top.port##_tvalid) {                                                    \
      get(top.port##_tdata, outputs[i].words + side.done * (count), count);              \
      outputs[i].cycles[side.done++] = cycle;                                            \
      --missing;                                                                         \
      idle = 0;                                                                          \
    }                                                                                    \
  }
    FINN_OUTPUTS(DRIVE_OUTPUT)
    sim->step();
  }
#define REPORT_INPUT(i, port, count) \
  top.port##_tvalid = in[i].valid;   \
  inputs[i].done = in[i].done;
  FINN_INPUTS(REPORT_INPUT)
  FINN_CONSTANTS(REPORT_INPUT)
#define REPORT_OUTPUT(i, port, count) \
  top.port##_tready = 0;              \
  outputs[i].done = out[i].done;
  FINN_OUTPUTS(REPORT_OUTPUT)
  if (missing == 0) return cycle;
  return idle >= idle_limit ? -2 : -1;
}

// Writes, or reads, `count` registers of an AXI4-Lite port: pairs of a byte address and a word. False if one has no
// answer.
bool finn_sim_access(void *handle, int number, bool write, uint32_t *accesses, int64_t count) {
  auto *sim = static_cast<Simulation *>(handle);
  FINN_MODEL &top = *sim->model;
  for (int64_t k = 0; k < count; ++k) {
    bool done = false;
    uint32_t *access = accesses + 2 * k;
#define ACCESS(i, port)                                                                                       \
  if (number == (i)) {                                                                                        \
    done = write ? write_register(*sim, access[0], access[1], top.port##_awaddr, top.port##_awvalid,          \
                                  top.port##_awready, top.port##_wdata, top.port##_wstrb, top.port##_wvalid,  \
                                  top.port##_wready, top.port##_bvalid, top.port##_bready)                    \
                 : read_register(*sim, access[0], access[1], top.port##_araddr, top.port##_arvalid,           \
                                 top.port##_arready, top.port##_rdata, top.port##_rvalid, top.port##_rready); \
  }
    FINN_REGISTERS(ACCESS)
    (void)access;
    (void)top;
    (void)write;
    if (!done) return false;
  }
  (void)number;
  return true;
}

// Per probe: beats, cycles blocked, cycles starved, last state (2 * valid + ready). Per FIFO: most beats held, beats
// held.
void finn_sim_stats(void *handle, uint32_t *probes, uint32_t *fifos) {
  auto *root = static_cast<Simulation *>(handle)->model->rootp;
#define READ_PROBE(i, name)                           \
  probes[4 * (i) + 0] = root->name##__DOT__beats_q;   \
  probes[4 * (i) + 1] = root->name##__DOT__blocked_q; \
  probes[4 * (i) + 2] = root->name##__DOT__starved_q; \
  probes[4 * (i) + 3] = root->name##__DOT__state_q;
  FINN_PROBES(READ_PROBE)
#define READ_FIFO(i, name)                        \
  fifos[2 * (i) + 0] = root->name##__DOT__peak_q; \
  fifos[2 * (i) + 1] = root->name##__DOT__level_q;
  FINN_FIFOS(READ_FIFO)
  (void)probes;
  (void)fifos;
  (void)root;
}

// The word of each checksum, when its pipeline has run dry: some cycles in which only beats that are offered still go
// in.
void finn_sim_checksums(void *handle, uint32_t *words) {
  auto *sim = static_cast<Simulation *>(handle);
  FINN_MODEL &top = *sim->model;
  for (int cycle = 0; cycle < 32; ++cycle) {
    bool offered[FINN_INPUT_COUNT];
#define KEEP_INPUT(i, port, count) offered[i] = top.port##_tvalid && !top.port##_tready;
    FINN_INPUTS(KEEP_INPUT)
    FINN_CONSTANTS(KEEP_INPUT)
    sim->step();
#define DROP_INPUT(i, port, count) top.port##_tvalid = offered[i];
    FINN_INPUTS(DROP_INPUT)
    FINN_CONSTANTS(DROP_INPUT)
  }
  auto *root = top.rootp;
#define READ_CHECKSUM(i, name) words[i] = root->name##__DOT__checksum_q;
  FINN_CHECKSUMS(READ_CHECKSUM)
  (void)words;
  (void)root;
}
}
