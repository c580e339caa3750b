// bad
union Word { /*!*/
  int number;
  char bytes[4];
};

// good
union Word {
  float number;
  unsigned bits;
};

// bad
template <typename T>
union Word { /*!*/
  T number;
  char bytes[4];
};

// good
template <typename T>
struct Word {
  T number;
};
