// Arithmetic on sizes, and how much work is worth a thread.
#pragma once
#include "parallel.h"

namespace unroll::UNROLL_ISA {

constexpr int ceil_div(int a, int b) { return (a + b - 1) / b; }
constexpr int smaller(int a, int b) { return a < b ? a : b; }
constexpr int larger(int a, int b) { return a > b ? a : b; }
// Where range i of `parts` nearly equal ranges of [0, n) starts.
constexpr int split(int n, int parts, int i) { return (int)((int64_t)n * i / parts); }

// Threads worth using for so many floating-point operations: 2 million each, some 10 to 20 microseconds, ten times
// what a fork costs.
inline int worthwhile_threads(double operations) {
  const double enough = 2e6;
  const int most = parallel_threads();
  return operations >= enough * most ? most : larger(1, (int)(operations / enough));
}

// body(first, last) over ranges of [0, n), one range a thread.
template <class Body>
inline void over_ranges(int n, double operations, const Body& body) {
  const int parts = smaller(n, worthwhile_threads(operations));
  if (parts <= 1) return body(0, n);
  parallel(parts, [&](int i) { body(split(n, parts, i), split(n, parts, i + 1)); });
}

}  // namespace unroll::UNROLL_ISA
