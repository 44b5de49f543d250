// Arithmetic on sizes, and the number of threads to use for a given amount of work.
#pragma once
#include "parallel.h"

namespace unroll::UNROLL_ISA {

constexpr int ceil_div(int a, int b) { return (a + b - 1) / b; }
constexpr int min(int a, int b) { return a < b ? a : b; }
constexpr int max(int a, int b) { return a > b ? a : b; }
// Returns the start of range i if [0, n) is split into `parts` nearly equal ranges.
constexpr int split(int n, int parts, int i) { return (int)((int64_t)n * i / parts); }

// Returns the number of threads worth using for `operations` floating-point operations: one for every 2 million, which take
// 10 to 20 microseconds, ten times as long as a fork.
inline int worthwhile_threads(double operations) {
  const double enough = 2e6;
  const int most = parallel_threads();
  return operations >= enough * most ? most : max(1, (int)(operations / enough));
}

// Splits [0, n) into one range per thread and calls body(first, last) for each.
template <class Body>
inline void over_ranges(int n, double operations, const Body& body) {
  const int parts = min(n, worthwhile_threads(operations));
  if (parts <= 1) return body(0, n);
  parallel(parts, [&](int i) { body(split(n, parts, i), split(n, parts, i + 1)); });
}

}  // namespace unroll::UNROLL_ISA
