// Runs the schedules of a graph of layers: the recurrences of timing.py, at some nanoseconds per beat.
//
// Everything that waits is a queue of times: beats that are offered, places that have become free. A layer goes from
// one step that has something to do to the next; what it needs is collected from the queues as it comes, so that
// nothing is looked at twice. Queues hold what is on the way, whatever the number of frames. Times are exact; the order
// in which layers are computed has no influence on them.
//
// A follower is called for each step that makes something: the C++ simulation moves its data then.
#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

namespace {

using Time = int64_t;
constexpr Time Always = std::numeric_limits<Time>::min() / 2;  // of what has been there from the beginning
constexpr int64_t Never = std::numeric_limits<int64_t>::max();

class Queue {
 public:
  Queue() = default;
  Queue(Queue &&) = default;  // not copied: data_ is where held_ is
  int64_t size() const { return static_cast<int64_t>(tail_ - head_); }
  bool empty() const { return head_ == tail_; }
  Time front() const { return at(0); }
  Time at(int64_t index) const { return data_[(head_ + static_cast<uint64_t>(index)) & mask_]; }
  Time pop() { return data_[head_++ & mask_]; }
  void push(Time time) {
    if (tail_ - head_ > mask_) grow();
    data_[tail_++ & mask_] = time;
  }

 private:
  [[gnu::noinline]] void grow() {
    std::vector<Time> larger(2 * held_.size());
    for (uint64_t k = head_; k != tail_; ++k) larger[k - head_] = data_[k & mask_];
    tail_ -= head_;
    head_ = 0;
    held_.swap(larger);
    data_ = held_.data();
    mask_ = held_.size() - 1;
  }
  std::vector<Time> held_ = std::vector<Time>(16);
  Time *data_ = held_.data();
  uint64_t mask_ = 15;
  uint64_t head_ = 0;
  uint64_t tail_ = 0;
};

// How full a FIFO is. When beats come in and when they go out is known in any order of the two.
struct Level {
  Queue entered, left;
  int64_t held = 0;
  int64_t peak = 0;    // most beats held at the end of a cycle
  int64_t needed = 0;  // places without which a beat had waited: one is free in the cycle after its beat left

  void settle() {
    while (!entered.empty() && !left.empty()) {
      const Time in = entered.front();
      const Time out = left.front();
      if (in <= out) needed = std::max(needed, held + 1);
      if (in >= out) {
        left.pop();
        --held;
      }
      if (in <= out) {
        entered.pop();
        peak = std::max(peak, ++held);
      }
    }
  }
};

struct Edge {
  Queue offered;  // the time from which each beat can be taken
  Queue places;   // the time from which the place of each beat that was taken can be claimed
  Time last = -1;
  Time valid = 0;       // from when on the next beat to be taken waits
  int64_t made = 0;     // beats that were offered, of all frames
  int64_t taken = 0;    // of them, those that have passed
  int64_t blocked = 0;  // cycles in which a beat waited
  int64_t beats = 0;    // per frame
  int64_t beat = 0;     // of this frame
  size_t index = 0;
  bool counted = false;
  bool every = false;  // record all times, or those of the first and last beat of a frame
  struct Layer *writer = nullptr;
  struct Layer *reader = nullptr;
  Queue *entered = nullptr;
  Queue *left = nullptr;
  std::vector<Time> passed;

  void offer(Time time) {
    offered.push(time);
    ++made;
  }
  // The time of the next beat, which is to be taken.
  Time claim() {
    const Time time = offered.pop();
    valid = std::max(time, last + 1);
    return time;
  }
  void take(Time time) {
    blocked += time - valid;
    ++taken;
    last = time;
    if (counted) places.push(time + 1);
    if (entered != nullptr) entered->push(time);
    if (left != nullptr) left->push(time);
    if (every || beat == 0) passed.push_back(time);
    if (++beat == beats) {
      beat = 0;
      if (!every) passed.push_back(time);
    }
  }
};

// Goes through the steps that a pattern names, period by period.
struct Cursor {
  const int64_t *steps;
  int64_t count;
  int64_t period;
  int64_t base = 0;
  int64_t index = 0;
  int64_t next;

  Cursor(const int64_t *given, int64_t length, int64_t steps_per_period)
      : steps(given), count(length), period(steps_per_period), next(length > 0 ? given[0] : Never) {}
  void advance() {
    if (++index == count) {
      index = 0;
      base += period;
    }
    next = base + steps[index];
  }
  // Whether each step of a period is named once.
  bool all() const {
    for (int64_t k = 0; k < count; ++k) {
      if (steps[k] != k) return false;
    }
    return count == period;
  }
};

struct Input {
  Edge *edge;
  bool holds;
  Time delay;
  Cursor uses, frees;
  Queue held;           // when beats that were accepted can be used
  Queue places;         // when there is room for another one
  Time seen = -1;       // the last beat that the writer knows to be taken
  int64_t owed = 0;     // beats that were collected for the next step
  int64_t used = 0;     // beats, of all frames, of the steps that were done
  int64_t arrived = 0;  // those, and what can be used in the cycle of the last step; up to date if somebody follows

  int64_t accept() {
    Edge &e = *edge;
    const int64_t count = std::min(e.offered.size(), places.size());
    for (int64_t k = 0; k < count; ++k) {
      const Time time = std::max({e.claim(), e.last + 1, places.pop()});
      held.push(time + delay);
      e.take(time);
    }
    return count;
  }
  // Get what the step needs and what has come; false if something is missing. `time` is raised to the last arrival.
  bool collect(int64_t step, Time &time) {
    while (uses.next <= step) {
      if ((holds ? held : edge->offered).empty()) return false;
      time = std::max(time, holds ? held.pop() : edge->claim() + delay);
      uses.advance();
      ++owed;
    }
    return true;
  }
  void fire(int64_t step, Time time) {
    if (!holds) {
      for (; owed > 0; --owed) edge->take(time);
      return;
    }
    used += owed;
    owed = 0;
    if (frees.next > step) return;
    for (; frees.next <= step; frees.advance()) places.push(time + 1);
    accept();
  }
  // The step at `time` is done.
  void look(Time time) {
    if (!holds) used = edge->taken;
    arrived = std::max(arrived, used);
    while (arrived - used < held.size() && held.at(arrived - used) <= time) ++arrived;
  }
};

struct Output {
  Edge *edge;
  Time delay;
  Cursor claims, writes;

  bool collect(int64_t step, Time &time) {
    while (claims.next <= step) {
      if (edge->counted) {
        if (edge->places.empty()) return false;
        time = std::max(time, edge->places.pop());
      }
      claims.advance();
    }
    return true;
  }
  // Whether the step makes something.
  bool fire(int64_t step, Time time) {
    const bool makes = writes.next <= step;
    for (; writes.next <= step; writes.advance()) edge->offer(time + delay);
    return makes;
  }
};

// Per edge, of all frames: the beats that its writer has made; and those that its reader has used, and that it could
// have used, when it made its last one.
struct Progress {
  std::vector<int64_t> made, used, arrived;
};

// Goes on with a layer until it has made what it has to. Returns 0, or a number that says why it cannot.
using Follow = int64_t (*)(void *context, int64_t layer, const int64_t *made, const int64_t *used,
                           const int64_t *arrived);

struct Follower {
  Follow follow;
  void *context;
  Progress progress;
  int64_t lost = -1;   // the layer that could not be followed
  int64_t reason = 0;  // what was said about it
};

struct Layer {
  std::vector<Input> inputs;
  std::vector<Output> outputs;
  Level *level = nullptr;
  int64_t period = 0;    // steps of a period
  int64_t periods = 0;   // per frame
  int64_t end = 0;       // steps that are to be done
  int64_t at = -1;       // the last step that was done
  int64_t next = 0;      // the next step that has something to do
  Time time = -1;        // when `at` was done
  Time ready = -1;       // when what `next` needs and has come was there
  bool uniform = false;  // each step takes a beat of each input and makes one of each output
  size_t index = 0;      // in the graph
  Follower *follower = nullptr;

  void prepare() {
    uniform =
        std::all_of(inputs.begin(), inputs.end(), [](const Input &i) { return !i.holds && i.uses.all(); }) &&
        std::all_of(outputs.begin(), outputs.end(), [](const Output &o) { return o.writes.all() && o.claims.all(); });
    find_next();
  }
  void find_next() {
    next = Never;
    for (const Input &i : inputs) {
      next = std::min(next, i.uses.next);
      if (i.holds) next = std::min(next, i.frees.next);
    }
    for (const Output &o : outputs) next = std::min({next, o.claims.next, o.writes.next});
  }
  bool done() const { return next >= end; }
  // Whether the step at `time`, which has made something, could be followed.
  bool followed(Time time) {
    if (follower == nullptr) return true;
    Progress &progress = follower->progress;
    for (Input &i : inputs) {
      i.look(time);
      progress.used[i.edge->index] = i.used;
      progress.arrived[i.edge->index] = i.arrived;
    }
    for (const Output &o : outputs) progress.made[o.edge->index] = o.edge->made;
    const auto self = static_cast<int64_t>(index);
    follower->reason =
        follower->follow(follower->context, self, progress.made.data(), progress.used.data(), progress.arrived.data());
    if (follower->reason != 0) follower->lost = self;
    return follower->reason == 0;
  }
  // Index of the input, or of the output behind the inputs, whose beats or places are missing.
  int64_t waits() {
    int64_t index = 0;
    for (Input &i : inputs) {
      if (uniform ? i.edge->offered.empty() : !i.collect(next, ready)) return index;
      ++index;
    }
    for (Output &o : outputs) {
      if (uniform ? o.edge->counted && o.edge->places.empty() : !o.collect(next, ready)) return index;
      ++index;
    }
    return -1;
  }
  int64_t advance_uniformly() {
    int64_t count = end - next;
    for (const Input &i : inputs) count = std::min(count, i.edge->offered.size());
    for (const Output &o : outputs) {
      if (o.edge->counted) count = std::min(count, o.edge->places.size());
    }
    if (inputs.size() == 1 && outputs.size() == 1) {
      Edge &in = *inputs.front().edge;
      Edge &out = *outputs.front().edge;
      const Time before = inputs.front().delay;
      const Time after = outputs.front().delay;
      Time now = time;
      for (int64_t k = 0; k < count; ++k) {
        now = std::max(now + 1, in.claim() + before);
        if (out.counted) now = std::max(now, out.places.pop());
        in.take(now);
        out.offer(now + after);
        if (!followed(now)) break;
      }
      time = now;
      next += count;
      return count;
    }
    for (int64_t k = 0; k < count; ++k) {
      ++time;
      for (const Input &i : inputs) time = std::max(time, i.edge->claim() + i.delay);
      for (const Output &o : outputs) {
        if (o.edge->counted) time = std::max(time, o.edge->places.pop());
      }
      for (const Input &i : inputs) i.edge->take(time);
      for (const Output &o : outputs) o.edge->offer(time + o.delay);
      if (!followed(time)) break;
    }
    next += count;
    return count;
  }
  // Most layers have one input and one output: this is for them.
  int64_t advance_single() {
    Input &in = inputs.front();
    Output &out = outputs.front();
    int64_t events = in.holds ? in.accept() : 0;
    for (; next < end && in.collect(next, ready) && out.collect(next, ready); ++events) {
      time = std::max(time + (next - at), ready);
      at = next;
      ready = -1;
      in.fire(at, time);
      if (out.fire(at, time) && !followed(time)) break;
      next = std::min({in.uses.next, in.holds ? in.frees.next : Never, out.claims.next, out.writes.next});
    }
    return events;
  }
  // Go as far as what is known allows. Returns how much was done.
  int64_t advance() {
    if (uniform) return advance_uniformly();
    if (inputs.size() == 1 && outputs.size() == 1) return advance_single();
    int64_t events = 0;
    for (Input &i : inputs) {
      if (i.holds) events += i.accept();
    }
    for (; !done() && waits() < 0; ++events) {
      time = std::max(time + (next - at), ready);
      at = next;
      ready = -1;
      for (Input &i : inputs) i.fire(at, time);
      bool makes = false;
      for (Output &o : outputs) makes |= o.fire(at, time);
      if (makes && !followed(time)) break;
      find_next();
    }
    return events;
  }
};

struct Graph {
  std::vector<std::unique_ptr<Edge>> edges;
  std::vector<std::unique_ptr<Layer>> layers;
  std::vector<std::unique_ptr<Level>> levels;
  std::vector<int64_t> sources, interval;
  std::vector<uint64_t> awake;  // a bit for each layer that may go on
  int64_t frames = 0;
  std::unique_ptr<Follower> follower;

  bool lost() const { return follower != nullptr && follower->lost >= 0; }
  bool done() const {
    return !lost() &&
           std::all_of(layers.begin(), layers.end(), [](const std::unique_ptr<Layer> &layer) { return layer->done(); });
  }
  void frame() {
    for (auto &layer : layers) {
      layer->end += layer->period * layer->periods;
      wake(*layer);
    }
    for (size_t k = 0; k < sources.size(); ++k) {
      Edge &edge = *edges[static_cast<size_t>(sources[k])];
      const int64_t first = frames * edge.beats;
      const int64_t cycles = interval[k];
      // A frame of an interval is spread evenly: beat i is there from cycle floor(i * interval / beats) on.
      for (int64_t b = 0; b < edge.beats; ++b) {
        edge.offer(cycles == 0 ? first + b : frames * cycles + b * cycles / edge.beats);
      }
    }
    ++frames;
  }
  void wake(const Layer &layer) { awake[layer.index / 64] |= uint64_t{1} << (layer.index % 64); }
  // The first layer at or behind `index` that may go on; as many as there are words times 64 if there is none.
  size_t next_awake(size_t index) const {
    size_t word = index / 64;
    if (word >= awake.size()) return 64 * awake.size();
    uint64_t bits = awake[word] & (~uint64_t{0} << (index % 64));
    while (bits == 0 && ++word < awake.size()) bits = awake[word];
    return 64 * word + (bits != 0 ? static_cast<size_t>(__builtin_ctzll(bits)) : 0);
  }
  // Sweeps go downstream: so a layer finds all that came since the last one, not a beat or two.
  void settle() {
    const size_t none = 64 * awake.size();
    for (size_t k = next_awake(0); k < none;) {
      Layer &layer = *layers[k];
      awake[k / 64] &= ~(uint64_t{1} << (k % 64));
      if (layer.advance() > 0) {
        if (lost()) return;
        for (Input &i : layer.inputs) {
          if (i.edge->last > i.seen && i.edge->writer != nullptr) wake(*i.edge->writer);
          i.seen = i.edge->last;
        }
        for (const Output &o : layer.outputs) {
          if (o.edge->offered.empty()) continue;
          if (o.edge->reader != nullptr) {
            wake(*o.edge->reader);
          } else {
            drain(*o.edge);
            wake(layer);
          }
        }
        if (layer.level != nullptr) layer.level->settle();
      }
      k = next_awake(k + 1);
      if (k == none) k = next_awake(0);
    }
  }
  // What nobody reads is always taken.
  void drain(Edge &edge) {
    while (!edge.offered.empty()) edge.take(std::max(edge.claim(), edge.last + 1));
  }
};

}  // namespace

extern "C" {

struct FinnEnd {
  int64_t edge;
  int64_t count;         // beats per period
  const int64_t *steps;  // of each beat, the step that needs it or makes it
  const int64_t *other;  // the step that frees or claims its place
  int64_t depth;         // 0 of an input: takes beats in their step; of an output: -1 is without limit
  int64_t delay;
};

struct FinnLayer {
  int64_t steps, periods, inputs, outputs;
  int64_t is_fifo;
};

// beats : per edge, in a frame. ends : those of the layers one after the other, inputs first. interval : per source,
// cycles over which the beats of a frame are spread; 0 for a beat per cycle. follow : null, or what follows.
void *finn_timing_new(int64_t edges, const int64_t *beats, int64_t layers, const FinnLayer *given, const FinnEnd *ends,
                      int64_t sources, const int64_t *source, const int64_t *interval, int64_t every, Follow follow,
                      void *context) {
  auto graph = std::make_unique<Graph>();
  if (follow != nullptr) {
    const std::vector<int64_t> none(static_cast<size_t>(edges));
    graph->follower = std::make_unique<Follower>(Follower{follow, context, {none, none, none}});
  }
  for (int64_t k = 0; k < edges; ++k) {
    auto edge = std::make_unique<Edge>();
    edge->beats = beats[k];
    edge->every = every != 0;
    edge->index = graph->edges.size();
    graph->edges.push_back(std::move(edge));
  }
  for (int64_t k = 0; k < layers; ++k) {
    const FinnLayer &from = given[k];
    auto layer = std::make_unique<Layer>();
    layer->period = from.steps;
    layer->periods = from.periods;
    if (from.is_fifo != 0) {
      graph->levels.push_back(std::make_unique<Level>());
      layer->level = graph->levels.back().get();
    }
    for (int64_t n = 0; n < from.inputs + from.outputs; ++n, ++ends) {
      Edge *edge = graph->edges[static_cast<size_t>(ends->edge)].get();
      const Cursor steps(ends->steps, ends->count, from.steps);
      const Cursor other(ends->other, ends->count, from.steps);
      if (n < from.inputs) {
        layer->inputs.push_back({edge, ends->depth > 0, ends->delay, steps, other, {}, {}});
        for (int64_t p = 0; p < ends->depth; ++p) layer->inputs.back().places.push(Always);
        edge->reader = layer.get();
        if (layer->level != nullptr) edge->entered = &layer->level->entered;
      } else {
        layer->outputs.push_back({edge, ends->delay, other, steps});
        edge->counted = ends->depth >= 0;
        for (int64_t p = 0; p < ends->depth; ++p) edge->places.push(Always);
        edge->writer = layer.get();
        if (layer->level != nullptr) edge->left = &layer->level->left;
      }
    }
    layer->prepare();
    layer->index = graph->layers.size();
    layer->follower = graph->follower.get();
    graph->layers.push_back(std::move(layer));
  }
  graph->awake.resize(graph->layers.size() / 64 + 1);
  graph->sources.assign(source, source + sources);
  graph->interval.assign(interval, interval + sources);
  return graph.release();
}

void finn_timing_free(void *handle) { delete static_cast<Graph *>(handle); }

// Sends one more frame and computes as far as possible. Returns whether all layers have finished it.
int64_t finn_timing_frame(void *handle) {
  auto *graph = static_cast<Graph *>(handle);
  graph->frame();
  graph->settle();
  return static_cast<int64_t>(graph->done());
}

// The layer that the follower, which there is, could not follow, -1 if there is none; and the reason that it gave.
int64_t finn_timing_lost(void *handle, int64_t *reason) {
  const Follower &follower = *static_cast<Graph *>(handle)->follower;
  *reason = follower.reason;
  return follower.lost;
}

// blocked : per edge, the cycles in which a beat waited for its reader.
void finn_timing_blocked(void *handle, int64_t *blocked) {
  for (const auto &edge : static_cast<Graph *>(handle)->edges) *blocked++ = edge->blocked;
}

// waits : per layer -1, or the index of the input, or of the output behind the inputs, that it waits for.
void finn_timing_waits(void *handle, int64_t *waits) {
  for (auto &layer : static_cast<Graph *>(handle)->layers) *waits++ = layer->done() ? -1 : layer->waits();
}

int64_t finn_timing_count(void *handle, int64_t edge) {
  return static_cast<int64_t>(static_cast<Graph *>(handle)->edges[static_cast<size_t>(edge)]->passed.size());
}

// passed : the times of the first and the last beat of each frame, or of all beats.
void finn_timing_passed(void *handle, int64_t edge, int64_t *passed) {
  const std::vector<Time> &times = static_cast<Graph *>(handle)->edges[static_cast<size_t>(edge)]->passed;
  std::copy(times.begin(), times.end(), passed);
}

// levels : per FIFO, the most beats held, and the places without which a beat had waited.
void finn_timing_levels(void *handle, int64_t *levels) {
  for (const auto &level : static_cast<Graph *>(handle)->levels) {
    level->settle();
    *levels++ = level->peak;
    *levels++ = level->needed;
  }
}
}
