// Threads for the kernels: fork and join on a small thread pool, with the same interface on every platform. Kernels include
// only this header; the implementation is in parallel.cpp.
//
// The kernels of one instance are called from one JavaScript thread. That thread takes part in the work; workers help
// if they are awake or wake up in time. The caller does not wait for a worker that has not started. Code inside a body
// runs serially: parallel_threads() returns 1, and parallel_for is a plain loop.
#pragma once
#include <stdint.h>

namespace unroll {

// Returns the number of threads that parallel_for would use now, including the caller (>= 1).
int parallel_threads();

// Runs body(context, i) for every i in [0, count) and returns when all have finished. Any thread may run any i, so the calls
// must not write to the same memory. Takes about a microsecond if the workers are awake.
void parallel_for(int count, void (*body)(void* context, int i), void* context);

// Runs body(context, i) for every i in [0, count) AT THE SAME TIME, each on a separate thread, so that bodies can wait for
// each other with team_barrier(). count must be <= parallel_threads(). (The recurrent cells use it when threads split the
// hidden units: one fork for all T steps, and a barrier in each step.)
void parallel_team(int count, void (*body)(void* context, int i), void* context);

// Inside parallel_team: returns when every body of the team has called it. All bodies then see what the others wrote before
// their call. Outside of a team, and in a team of one, it returns at once.
void team_barrier();

// Returns the scratch memory of the calling thread, always the same for one thread: scratch_floats() floats, 64-byte aligned,
// not cleared, valid until the kernel (or, in a body, the body) returns.
static constexpr long scratch_floats() { return 1l << 18; }  // 1 MiB
float* scratch();

// Returns the size in bytes of the slices into which a panel (a block of packed weights, see tile.h) is divided: several
// tiles use one slice before the next slice begins, so that the slice stays in the L1 cache. 0: each tile uses the whole
// panel at once. Results are bit-identical. The slice size belongs to the pool, because an instance for AVX2 and one for
// AVX-512 can be used side by side. See docs/decisions/052-l1-parts.md.
#ifdef __wasm__
constexpr int slice_bytes() { return 0; }
#else
int slice_bytes();
#endif

// parallel_for and parallel_team with a lambda: parallel(count, [&](int i) { ... });
template <class Body>
inline void parallel(int count, const Body& body) {
  parallel_for(
      count, [](void* context, int i) { (*static_cast<const Body*>(context))(i); }, const_cast<Body*>(&body));
}
template <class Body>
inline void team(int count, const Body& body) {
  parallel_team(
      count, [](void* context, int i) { (*static_cast<const Body*>(context))(i); }, const_cast<Body*>(&body));
}

}  // namespace unroll
