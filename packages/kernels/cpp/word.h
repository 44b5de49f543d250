// What the thread pool needs from the platform: a word to wait on, a pause, and whether there are threads
// (UNROLL_THREADS).
//
// Word: an atomic int with wait and wake; wait_briefly returns after a moment in any case. pause(): one
// iteration of a spin loop. spin_limit: iterations before sleeping, 150 to 300 microseconds, because JavaScript takes that
// long between two kernels of a step, and waking a sleeper takes half as long as a small kernel. Cores: where native threads run.
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
// 64-bit address of memory.atomic.wait32 in a 32-bit slot and overwrites the local beside it.
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
  // Reads the affinity of the calling thread; true: it differs from what was read before.
  bool look() {
    cpu_set_t before = all;
    known = sched_getaffinity(0, sizeof(all), &all) == 0;
    if (!known || CPU_EQUAL(&before, &all)) return false;
    allowed = CPU_COUNT(&all);
    return true;
  }
  // The number of cores that the calling thread may run on, as last read, of at most `cores`.
  int count(int cores) const { return known && allowed < cores ? allowed : cores; }
  // The core that the calling thread is on; -1 where that is not known.
  int current() const { return known ? sched_getcpu() : -1; }
  // Lets a thread run on every core last read except `core`; -1: on all of them.
  void keep_off(std::thread& thread, int core) const {
    cpu_set_t others = all;
    if (core >= 0) CPU_CLR(core, &others);
    // Where this fails (no other core is left), the thread stays where it may run now.
    if (known) pthread_setaffinity_np(thread.native_handle(), sizeof(others), &others);
  }

 private:
  cpu_set_t all{};
  int allowed = 0;
  bool known = false;
};
#else
class Cores {
 public:
  bool look() { return false; }
  int count(int cores) const { return cores; }
  int current() const { return -1; }
  void keep_off(std::thread&, int) const {}
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

// Denormal numbers count as zero in kernels: they slow backpropagation through time down and carry no information.
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
constexpr int spin_limit = 120000, barrier_spins = 16000;  // 1.5 nanoseconds a turn

#endif

}  // namespace unroll
