// A shape with the strides of two operands, and functions that reorder, merge and iterate over its dimensions.
#pragma once
#include <stdint.h>

#ifndef UNROLL_ISA
#define UNROLL_ISA portable
#endif

namespace unroll::UNROLL_ISA {

constexpr int most_dims = 8;

struct Shape {
  int rank;
  int size[most_dims];
  long x[most_dims], y[most_dims];  // strides

  // dims: rank sizes, rank strides of x, rank strides of y.
  Shape(int rank, const int32_t* dims) : rank(rank) {
    for (int d = 0; d < rank; d++) size[d] = dims[d], x[d] = dims[rank + d], y[d] = dims[2 * rank + d];
  }

  bool empty() const {
    for (int d = 0; d < rank; d++)
      if (size[d] <= 0) return true;
    return false;
  }

  // Drops dimensions of size 1 and merges adjacent dimensions if one stride covers both. Leaves at least one dimension.
  void merge() {
    int kept = 0;
    for (int d = 0; d < rank; d++) {
      if (size[d] == 1) continue;
      if (kept && x[kept - 1] == size[d] * x[d] && y[kept - 1] == size[d] * y[d]) {
        size[kept - 1] *= size[d], x[kept - 1] = x[d], y[kept - 1] = y[d];
      } else {
        size[kept] = size[d], x[kept] = x[d], y[kept] = y[d], kept++;
      }
    }
    if (!kept) size[0] = 1, x[0] = y[0] = 1, kept = 1;
    rank = kept;
  }

  // Sorts the dimensions by the stride of y, largest first, so that y is written in memory order.
  void sort() {
    const auto distance = [&](int d) { return y[d] < 0 ? -y[d] : y[d]; };
    for (int d = 1; d < rank; d++)
      for (int e = d; e > 0 && distance(e - 1) < distance(e); e--) exchange(e, e - 1);
  }
  void exchange(int d, int e) {
    const int s = size[d];
    const long p = x[d], q = y[d];
    size[d] = size[e], x[d] = x[e], y[d] = y[e];
    size[e] = s, x[e] = p, y[e] = q;
  }

  // Calls body(offset in x, offset in y) for every index; the last dimension changes fastest.
  template <class Body>
  void each(const Body& body) const {
    int index[most_dims] = {};
    long atX = 0, atY = 0;
    for (;;) {
      body(atX, atY);
      int d = rank - 1;
      for (; d >= 0; d--) {
        atX += x[d], atY += y[d];
        if (++index[d] < size[d]) break;
        atX -= size[d] * x[d], atY -= size[d] * y[d], index[d] = 0;
      }
      if (d < 0) return;
    }
  }
};

}  // namespace unroll::UNROLL_ISA
