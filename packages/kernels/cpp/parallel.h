// Threads for the kernels: fork and join over a small pool, the same interface on every machine. The implementation
// is parallel.cpp; kernels need to know only this header.
//
// The kernels of one instance are called from one JavaScript thread. That thread takes part in the work; workers help
// if they are awake or wake up in time. The caller does not wait for a worker that has not started. Inside a body
// everything is serial: there parallel_threads() is 1 and parallel_for is a plain loop.
#pragma once
#include <stdint.h>

namespace unroll {

// Threads that parallel_for would use now, the caller's included (>= 1).
int parallel_threads();

// Runs body(context, i) for every i in [0, count) and returns when all are done. Which thread runs which i is not
// fixed, so body must write only what belongs to i. Costs about a microsecond when the workers are awake.
void parallel_for(int count, void (*body)(void* context, int i), void* context);

// Runs body(context, i) for every i in [0, count) AT THE SAME TIME, each on its own thread, so that bodies may wait for
// one another with team_barrier(). count must be <= parallel_threads(). (For work split by hidden units: one fork for
// all T steps, one barrier a step.)
void parallel_team(int count, void (*body)(void* context, int i), void* context);

// Inside parallel_team: returns when every body of the team has called it. What was written before it by any of them
// is then visible to all. Outside of a team, and in a team of one, it returns at once.
void team_barrier();

// Scratch memory of the calling thread, 64-byte aligned, not cleared, valid until the kernel returns (or, in a body,
// until the body returns). Every call on one thread gives the same memory.
static constexpr long scratch_floats() { return 1l << 18; }  // 1 MiB
float* scratch();

// The part of a weight panel, in bytes, that one tile after another takes before any takes the next part, so that it stays
// in the L1 cache; 0: each tile takes the whole panel. Results are the same bits. See docs/decisions/052-l1-blocks.md.
#ifndef __wasm__
extern int panel_bytes;
#endif

// The same with a lambda: parallel(count, [&](int i) { ... });
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
