// The host's side of the thread pool (parallel.h is the kernels' side): who makes pools, enters them and ends them.
// In WebAssembly there is one pool per instance and its workers arrive from JavaScript through pool_worker; natively
// every JavaScript environment has a pool of its own and the pool starts its threads itself, when they are asked for.
#pragma once
#include "kernels_impl.h"

namespace unroll {

#ifdef __wasm__

extern "C" {
// Called once by the main instance before any kernel. cores: threads that may spin at once; may_wait: whether the
// calling thread may block (the main thread of a page may not). scratch: scratch_floats() floats, 64-byte aligned.
void pool_configure(int cores, int may_wait, float* scratch);
// The life of a worker, called once on each: joins the pool and never returns. scratch is this worker's own.
void pool_worker(float* scratch);
// Threads that kernels would use now, the caller's included: at most get_threads(), less while workers start.
int pool_active();
int pool_scratch_bytes();
// Runs small jobs that check the pool and returns how many went wrong (pool_check.cpp).
int pool_check(int rounds);
}

#else

struct Pool;
Pool* pool_create(int cores);
// Ends and joins the threads.
void pool_destroy(Pool* pool);
// Makes `pool` the one that parallel_for uses on the calling thread; returns the one before it (null if none).
Pool* pool_enter(Pool* pool);
// Runs small jobs that check the entered pool and returns how many went wrong (pool_check.cpp).
int pool_check(int rounds);

#endif

// Threads that kernels of the entered pool may use. Natively the threads start here.
void pool_set_threads(int count);
int pool_get_threads();

}  // namespace unroll
