// The interface of the thread pool for the code that calls kernels: the Node addon or, in WebAssembly, JavaScript. (parallel.h
// is the interface for the kernels.) In WebAssembly there is one pool per instance, and JavaScript starts its workers, which
// call pool_worker. Natively there is one pool per addon instance: the addon creates it, makes it the pool of the calling thread
// during each kernel (pool_enter), and destroys it; pool_set_threads starts its threads.
#pragma once
#include "kernels_impl.h"

namespace unroll {

#ifdef __wasm__

extern "C" {
// Configures the pool. The main instance calls it once, before any kernel. cores: the number of threads that can run at the
// same time; may_wait: whether the calling thread may block (the main thread of a page may not). scratch: scratch_floats()
// floats, 64-byte aligned.
void pool_configure(int cores, int may_wait, float* scratch);
// Runs a worker: joins the pool and does not return. Each worker calls it once, with a separate scratch memory.
void pool_worker(float* scratch);
// Returns the number of threads that kernels would use now, including the caller: at most get_threads(), fewer while workers
// start.
int pool_active();
// Returns the size of the scratch memory of a thread.
int pool_scratch_bytes();
// Runs small jobs that check the pool and returns the number of errors (pool_check.cpp).
int pool_check(int rounds);
}

#else

struct Pool;
// cores: the number of threads that can run at the same time. slice_bytes: see parallel.h.
Pool* pool_create(int cores, int slice_bytes);
// Stops and joins the threads and frees the pool.
void pool_destroy(Pool* pool);
// Sets the pool that parallel_for uses on the calling thread; returns the previous one (null if none).
Pool* pool_enter(Pool* pool);
// Runs small jobs that check the entered pool and returns the number of errors (pool_check.cpp).
int pool_check(int rounds);

#endif

// Sets the number of threads that kernels of the entered pool may use. Starts native threads.
void pool_set_threads(int count);
int pool_get_threads();

}  // namespace unroll
