// Copyright (c) 2026, The FINN authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Kernels under any timing: streams of bounded depth, stalls, and steps in any order. How to test a kernel:
//
//   using namespace finn::test;
//   struct Config { static constexpr unsigned In = 2, Out = 3; using Element = ap_int<4>; };
//
//   const auto numbers = random_numbers<ap_int<4>>(60);
//   const auto y = through<Beat<ap_int<4>, 3>>(StreamingDataWidthConverter<Config>(), beats<ap_int<4>, 2>(numbers));
//   CHECK(y.numbers == numbers);          // under no timing anything else, or `through` throws
//   CHECK(interval(y.cycles, 2) == 3);    // steps per frame of 2 output beats, when all inputs are there
//
// `through` has one input and one output; what `step` gets behind them (weights, activations) follows. Others, and
// kernels one behind the other, stand on a Bench, which `any_timing` makes with one timing after the other:
//
//   any_timing([&](Bench &bench) {
//     auto &a = bench.source(beats<T, 2>(x));          // streams
//     auto &between = bench.stream<Beat<T, 2>>();
//     auto &y = bench.sink<Beat<T, 1>>();
//     bench.add(First(), a, between);                  // kernels, with the arguments of `step`
//     bench.add(Second(), between, y, weights);
//     bench.run();                                     // until nothing moves any more
//     CHECK(numbers(y.items) == expected);
//   });
//
// The first timing is that of `Bench()`: no stalls, streams that are never full, a step of each kernel per cycle. In
// others, a step is done if none of its reads and writes blocks, and else leaves everything as it was: it is tried on a
// copy of the kernel. Nothing here needs doctest; what goes wrong is thrown.

#ifndef FINN_TESTS_HARNESS_HPP
#define FINN_TESTS_HARNESS_HPP

#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <finn/stream.hpp>

namespace finn {
namespace test {

// Where decisions come from.
class Dice {
 public:
  explicit Dice(unsigned seed) : random_(seed) {}
  // Decisions are the bytes one by one, and 0 when there are no more: those of a fuzzer.
  Dice(const uint8_t *bytes, std::size_t count) : next_(bytes), end_(bytes + count), fuzzed_(true) {}

  // 0 to sides - 1.
  unsigned below(unsigned sides) {
    if (fuzzed_) return next_ == end_ ? 0 : *next_++ % sides;
    return static_cast<unsigned>(random_() % sides);
  }

 private:
  std::mt19937 random_;
  const uint8_t *next_ = nullptr;
  const uint8_t *end_ = nullptr;
  bool fuzzed_ = false;
};

// A read of an empty stream, or a write to a full one: the step has to wait.
struct Blocked {};

// How many items a stream has carried.
class Channel {
 public:
  Channel(std::size_t depth, std::size_t left) : depth_(depth), left_(left) {}
  Channel(const Channel &) = delete;
  Channel &operator=(const Channel &) = delete;
  virtual ~Channel() = default;

  bool empty() const { return out_ + reads_ == in_; }

  // What the step did is valid, or not. The first returns whether something passed.
  bool commit() {
    const bool passed = reads_ + writes_ != 0;
    out_ += reads_;
    in_ += writes_;
    reads_ = writes_ = 0;
    return passed;
  }
  void undo() {
    if (writes_ != 0) drop();
    reads_ = writes_ = 0;
  }

  // The next item of a source comes; an item leaves through a sink. Whether there was one, and room for it.
  bool arrive() {
    if (left_ == 0 || in_ - out_ >= depth_) return false;
    left_--;
    in_++;
    return true;
  }
  bool leave() {
    if (in_ == out_) return false;
    out_++;
    return true;
  }

 protected:
  // The place of the item that is read.
  std::size_t taken() {
    if (reads_ != 0) throw std::logic_error("a step has read twice from a stream");
    if (empty()) throw Blocked();
    reads_ = 1;
    return out_;
  }
  void given() {
    if (writes_ != 0) throw std::logic_error("a step has written twice to a stream");
    if (in_ - out_ >= depth_) throw Blocked();
    writes_ = 1;
  }
  // Forget the item that was written last.
  virtual void drop() = 0;

 private:
  std::size_t depth_;
  std::size_t left_;  // items of a source that have not come yet
  std::size_t in_ = 0;
  std::size_t out_ = 0;
  std::size_t reads_ = 0;  // of the present step, as well as
  std::size_t writes_ = 0;
};

// A stream that keeps all that it has carried.
template <typename T>
class Stream : public Channel {
 public:
  explicit Stream(std::size_t depth) : Channel(depth, 0) {}
  Stream(std::size_t depth, std::vector<T> source) : Channel(depth, source.size()), items(std::move(source)) {}

  T read() { return items[taken()]; }
  void write(const T &item) {
    given();
    items.push_back(item);
  }

  std::vector<T> items;
  std::vector<unsigned> cycles;  // of a sink without stalls: when each item was written, counted from 1

 private:
  void drop() override { items.pop_back(); }
};

// Something that is done once per cycle.
struct Process {
  Process() = default;
  Process(const Process &) = delete;
  Process &operator=(const Process &) = delete;
  virtual ~Process() = default;
  // Whether something came or left by itself; what kernels read and write, streams know. A step that throws Blocked
  // leaves the process as it was.
  virtual bool step(unsigned cycle) = 0;

  unsigned stall = 0;  // of MaxStall cycles, how many are left out
};

struct SourceProcess : Process {
  explicit SourceProcess(Channel &to) : channel(to) {}
  bool step(unsigned /*cycle*/) override { return channel.arrive(); }
  Channel &channel;
};

struct SinkProcess : Process {
  SinkProcess(Channel &from, std::vector<unsigned> &when) : channel(from), cycles(when) {}
  bool step(unsigned cycle) override {
    if (!channel.leave()) return false;
    cycles.push_back(cycle);
    return true;
  }
  Channel &channel;
  std::vector<unsigned> &cycles;
};

template <typename Kernel, typename Call>
struct KernelProcess : Process {
  KernelProcess(const Kernel &start, Call how) : kernel(start), call(how) {}
  bool step(unsigned /*cycle*/) override {
    Kernel after(kernel);
    call(after);
    kernel = after;
    return false;
  }
  Kernel kernel;
  Call call;
};

// Kernels and the streams between them.
class Bench {
 public:
  // One cycle after the other, without stalls: each kernel is stepped once, in the order in which they were added.
  Bench() : Bench(nullptr) {}
  // Depths, stalls and order as the dice fall. They have to outlive the bench.
  explicit Bench(Dice &dice) : Bench(&dice) {}

  // Items that come one by one.
  template <typename T>
  Stream<T> &source(const std::vector<T> &items) {
    Stream<T> &stream = kept(new Stream<T>(depth(), items));
    add_process(sources_, new SourceProcess(stream));
    return stream;
  }
  // Between two kernels.
  template <typename T>
  Stream<T> &stream() {
    return kept(new Stream<T>(depth()));
  }
  // What comes to its end.
  template <typename T>
  Stream<T> &sink() {
    Stream<T> &stream = kept(new Stream<T>(depth()));
    add_process(sinks_, new SinkProcess(stream, stream.cycles));
    return stream;
  }
  // A kernel and the arguments of its `step`, which have to outlive the bench. What it returns is always its state.
  template <typename Kernel, typename... Arguments>
  const Kernel &add(const Kernel &kernel, Arguments &...arguments) {
    const auto call = [&arguments...](Kernel &after) { after.step(arguments...); };
    auto *process = new KernelProcess<Kernel, decltype(call)>(kernel, call);
    add_process(kernels_, process);
    return process->kernel;
  }

  // Until nothing moves any more. Throws std::runtime_error if that does not come.
  //
  // \param rest  cycles in which nothing passes, until it is at rest; in the second half of them, nothing stalls
  void run(unsigned rest = 1000) {
    std::vector<Process *> order;
    for (const auto *stage : {&sources_, &kernels_, &sinks_}) {
      for (const auto &process : *stage) order.push_back(process.get());
    }
    for (unsigned quiet = 0; quiet < rest; quiet++) {
      if (cycle_++ == Limit) throw std::runtime_error("the bench does not come to rest");
      if (dice_ != nullptr) shuffle(order);
      if (cycle(order, quiet > rest / 2)) quiet = 0;
    }
  }

 private:
  static constexpr unsigned Limit = 500000;  // cycles at most
  static constexpr unsigned MaxDepth = 6;
  static constexpr unsigned MaxStall = 16;
  using Processes = std::vector<std::unique_ptr<Process>>;

  explicit Bench(Dice *dice) : dice_(dice) {}

  std::size_t depth() { return dice_ != nullptr ? 1 + dice_->below(MaxDepth) : std::size_t{Limit}; }
  template <typename T>
  Stream<T> &kept(Stream<T> *stream) {
    channels_.emplace_back(stream);
    return *stream;
  }
  void add_process(Processes &stage, Process *process) {
    stage.emplace_back(process);
    if (dice_ != nullptr) process->stall = dice_->below(MaxStall);
  }
  void shuffle(std::vector<Process *> &order) {
    for (std::size_t left = order.size(); left > 1; left--) {
      std::swap(order[dice_->below(static_cast<unsigned>(left))], order[left - 1]);
    }
  }
  // Whether something passed.
  bool cycle(const std::vector<Process *> &order, bool eager) {
    bool passed = false;
    for (Process *process : order) {
      // Nothing stalls if the dice show 0, as they do at a fuzzer's end.
      if (dice_ != nullptr && !eager && dice_->below(MaxStall) + process->stall >= MaxStall) continue;
      if (moves(*process)) passed = true;
    }
    return passed;
  }
  // Whether something passes in a step of the process; if it blocks, nothing was.
  bool moves(Process &process) {
    bool passed = false;
    bool blocked = false;
    try {
      passed = process.step(cycle_);
    } catch (const Blocked &) {
      blocked = true;
    }
    for (const auto &channel : channels_) {
      if (blocked) {
        channel->undo();
      } else if (channel->commit()) {
        passed = true;
      }
    }
    return passed;
  }

  Dice *dice_;
  std::vector<std::unique_ptr<Channel>> channels_;
  Processes sources_;
  Processes kernels_;
  Processes sinks_;
  unsigned cycle_ = 0;
};

// Timings that are tried.
constexpr unsigned Timings = 12;

// test(bench) for one bench after the other, the first without stalls.
template <typename Test>
void any_timing(Test test) {
  for (unsigned timing = 0; timing < Timings; timing++) {
    Dice dice(timing);
    Bench bench = timing == 0 ? Bench() : Bench(dice);
    test(bench);
  }
}

// The same numbers, as beats and back. Throws std::logic_error if they do not fill their last beat.
template <typename T, unsigned Lanes>
std::vector<Beat<T, Lanes>> beats(const std::vector<long long> &numbers) {
  if (numbers.size() % Lanes != 0) throw std::logic_error("the numbers do not fill the last beat");
  std::vector<Beat<T, Lanes>> result(numbers.size() / Lanes);
  for (std::size_t i = 0; i < numbers.size(); i++) result[i / Lanes].lane[i % Lanes] = T(numbers[i]);
  return result;
}
template <typename T, unsigned Lanes>
std::vector<long long> numbers(const std::vector<Beat<T, Lanes>> &beats) {
  std::vector<long long> result;
  for (const auto &beat : beats) {
    for (const T &element : beat.lane) result.push_back(static_cast<long long>(number(element)));
  }
  return result;
}

// Numbers that T holds, which has 62 bits at the most: each fourth is the least or the greatest.
template <typename T>
std::vector<long long> random_numbers(std::size_t count, unsigned seed = 1) {
  constexpr bool TwoValues = std::is_same<T, Bipolar>::value;
  constexpr long long Values = 1LL << Element<T>::width;
  constexpr long long Least = TwoValues ? -1 : Element<T>::is_signed ? -Values / 2 : 0;
  constexpr long long Greatest = TwoValues ? 1 : Least + Values - 1;
  std::mt19937_64 random(seed);
  std::uniform_int_distribution<long long> any(Least, Greatest);
  std::vector<long long> result(count);
  for (long long &value : result) {
    const auto kind = random() % 8;
    value = kind == 0 ? Least : kind == 1 ? Greatest : any(random);
    if (TwoValues && value == 0) value = Least;
  }
  return result;
}

// What a kernel makes of its input.
struct Outcome {
  std::vector<long long> numbers;
  std::vector<unsigned> cycles;  // the steps after which each beat was there, if all inputs are
};

// One kernel with one input and one output. Throws std::logic_error if the result depends on the timing.
//
// \tparam Out     beat of the output
// \param in       beats
// \param objects  what `step` gets behind its streams
template <typename Out, typename Kernel, typename In, typename... Objects>
Outcome through(const Kernel &kernel, const std::vector<In> &in, const Objects &...objects) {
  Outcome result;
  for (unsigned timing = 0; timing < Timings; timing++) {
    Dice dice(timing);
    Bench bench = timing == 0 ? Bench() : Bench(dice);
    auto &source = bench.source(in);
    auto &sink = bench.template sink<Out>();
    bench.add(kernel, source, sink, objects...);
    bench.run();
    const auto found = numbers(sink.items);
    if (timing == 0) {
      result = {found, sink.cycles};
    } else if (found != result.numbers) {
      throw std::logic_error("the result depends on the timing: it is another with " + std::to_string(timing));
    }
  }
  return result;
}

// Cycles from frame to frame, which are the same from the third on, or std::logic_error is thrown.
//
// \param cycles  of all beats of an output without stalls
// \param beats   per frame; five frames at least
inline unsigned interval(const std::vector<unsigned> &cycles, std::size_t beats) {
  const std::size_t frames = cycles.size() / beats;
  if (frames < 5) throw std::logic_error("an interval takes five frames");
  const auto end = [&](std::size_t frame) { return cycles[(frame + 1) * beats - 1]; };
  const unsigned result = end(3) - end(2);
  for (std::size_t frame = 4; frame < frames; frame++) {
    if (end(frame) - end(frame - 1) != result) throw std::logic_error("frames do not take the same number of cycles");
  }
  return result;
}

// Whether a beat comes each so many cycles, from the first on.
inline bool steady(const std::vector<unsigned> &cycles, unsigned apart) {
  for (std::size_t beat = 0; beat < cycles.size(); beat++) {
    if (cycles[beat] != (beat + 1) * apart) return false;
  }
  return !cycles.empty();
}

}  // namespace test
}  // namespace finn

#endif
