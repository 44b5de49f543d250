// The parts of the thread pool that depend on the platform. UNROLL_THREADS: whether the build has threads.
//
// Word: an atomic int with wait and wake; wait_briefly returns after a moment, even if no thread calls wake.
// pause(): one iteration of a spin loop.
// spin_limit: iterations before a thread sleeps. They take 150 to 300 microseconds, because JavaScript takes that long between
// two kernels of a step, and waking a thread takes half as long as a small kernel.
// barrier_spins: iterations at a barrier before wait_briefly is used.
// Cores: the cores that native threads may run on.
#pragma once
#include <stdint.h>

#if defined(__wasm__)
#if defined(__wasm_atomics__)
#define UNROLL_THREADS 1
#else
#define UNROLL_THREADS 0
#endif
#else
#define UNROLL_THREADS 1
#include <atomic>
#include <new>
#include <system_error>
#include <thread>
#if defined(__linux__)
#include <pthread.h>
#include <sched.h>
#endif
#endif

#if defined(__wasm__) && UNROLL_THREADS
// Separate functions with an unused last argument, to avoid a bug of V8 11 (Node 20): its baseline compiler saves the
// 64-bit address of memory.atomic.wait32 in a 32-bit slot and overwrites the adjacent local.
__attribute__((noinline)) void atomic_wait(int32_t* word, int32_t expected, int64_t nanoseconds, int) {
  __builtin_wasm_memory_atomic_wait32(word, expected, nanoseconds);
}
__attribute__((noinline)) void atomic_notify(int32_t* word, int) {
  __builtin_wasm_memory_atomic_notify(word, 0xffffffffu);
}
#endif

namespace unroll {

#if !defined(__wasm__)

struct Word {
  std::atomic<int32_t> value{0};
  int32_t load() const { return value.load(std::memory_order_acquire); }
  void store(int32_t v) { value.store(v, std::memory_order_release); }
  int32_t exchange(int32_t v) { return value.exchange(v); }
  int32_t add(int32_t v) { return value.fetch_add(v); }
  bool replace(int32_t expected, int32_t v) { return value.compare_exchange_strong(expected, v); }
  void wait(int32_t while_equal) { value.wait(while_equal); }
  void wake() { value.notify_all(); }
  void wait_briefly(int32_t) { std::this_thread::yield(); }
};

#if defined(__linux__)
class Cores {
 public:
  // Reads the affinity of the calling thread. Returns whether it has changed since the previous call.
  bool read_affinity() {
    cpu_set_t before = all;
    is_known = sched_getaffinity(0, sizeof(all), &all) == 0;
    if (!is_known || CPU_EQUAL(&before, &all)) return false;
    allowed = CPU_COUNT(&all);
    return true;
  }
  // Returns the number of cores that the calling thread may run on, as last read, but at most `cores`.
  int count(int cores) const { return is_known && allowed < cores ? allowed : cores; }
  // Returns the core that the calling thread runs on; -1: unknown.
  int current() const { return is_known ? sched_getcpu() : -1; }
  // Lets a thread run on all cores that read_affinity() found, except `core` (-1: on all of them).
  void exclude_core(std::thread& thread, int core) const {
    cpu_set_t others = all;
    if (core >= 0) CPU_CLR(core, &others);
    // If this fails (there is no other core), the affinity of the thread does not change.
    if (is_known) pthread_setaffinity_np(thread.native_handle(), sizeof(others), &others);
  }

 private:
  cpu_set_t all{};
  int allowed = 0;
  bool is_known = false;
};
#else
class Cores {
 public:
  bool read_affinity() { return false; }
  int count(int cores) const { return cores; }
  int current() const { return -1; }
  void exclude_core(std::thread&, int) const {}
};
#endif

#if defined(__x86_64__)
inline void pause() { __builtin_ia32_pause(); }
constexpr int spin_limit = 8000, barrier_spins = 50;
#elif defined(__aarch64__)
inline void pause() { asm volatile("isb"); }
constexpr int spin_limit = 16000, barrier_spins = 100;
#else
inline void pause() {}
constexpr int spin_limit = 120000, barrier_spins = 1000;
#endif

// Makes the calling thread treat denormal numbers as zero. They slow down backpropagation through time and are too small to
// affect results.
inline void flush_denormals() {
#if defined(__x86_64__)
  __builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() | 0x8040);
#elif defined(__aarch64__)
  uint64_t control;
  asm volatile("mrs %0, fpcr" : "=r"(control));
  asm volatile("msr fpcr, %0" : : "r"(control | (uint64_t(1) << 24)));
#endif
}

#elif UNROLL_THREADS

struct Word {
  int32_t value = 0;
  int32_t load() const { return __atomic_load_n(&value, __ATOMIC_SEQ_CST); }
  void store(int32_t v) { __atomic_store_n(&value, v, __ATOMIC_SEQ_CST); }
  int32_t exchange(int32_t v) { return __atomic_exchange_n(&value, v, __ATOMIC_SEQ_CST); }
  int32_t add(int32_t v) { return __atomic_fetch_add(&value, v, __ATOMIC_SEQ_CST); }
  bool replace(int32_t expected, int32_t v) {
    return __atomic_compare_exchange_n(&value, &expected, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
  }
  void wait(int32_t while_equal) { atomic_wait(&value, while_equal, -1, 0); }
  void wake() { atomic_notify(&value, 0); }
  void wait_briefly(int32_t while_equal) { atomic_wait(&value, while_equal, 50000, 0); }
};
inline void pause() {}
constexpr int spin_limit = 120000, barrier_spins = 16000;  // 1.5 nanoseconds per iteration

#endif

}  // namespace unroll
