// bad
struct Beat {
  int lane[4];
};
template <int N>
struct Memory {
  Beat read(int place) const { return words[place]; }
  Beat words[N]; /*!*/
};

// good
struct Beat {
  int lane[4];
};
template <int N>
struct Memory {
  Beat read(int place) const {
#pragma HLS aggregate variable = words
    return words[place];
  }
  Beat words[N];
};

// bad
struct Beat {
  int lane[4];
};
template <typename T>
struct Memory {
  T read(int place) const { return words[place]; }
  T words[8]; /*!*/
};
Beat top(int place) {
  static const Memory<Beat> memory = {};
  return memory.read(place);
}

// good
struct Pair {
  int first;
  int second;
};
template <typename T>
struct Memory {
  T read(int place) const { return words[place]; }
  T words[8];
};
Pair top(int place) {
  static const Memory<Pair> memory = {};
  return memory.read(place);
}
