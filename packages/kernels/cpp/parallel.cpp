// Implements the thread pool of parallel.h, for native threads, WebAssembly threads, and builds without threads.
//
// Every worker has a slot: a word on a separate cache line, with the state of the worker. The caller and the worker
// communicate only by changing this state:
//
//   absent -> idle <-> asleep            the worker arrives, spins for a while, goes to sleep
//   idle | asleep -> assigned            the caller offers the job (and wakes the worker if it is asleep)
//   assigned -> running -> idle          the worker accepts it and finishes it
//   assigned -> idle                     the caller withdraws the job: all items were done before the worker accepted it
//   running -> watched -> idle           the caller has no more work and sleeps until the worker has finished
//
// A job of parallel_for therefore never waits for a worker that is slow to wake. A team does, because all its members must run.
// A worker reads the job only in the states running and watched, and the caller does not change the job until no worker is in
// these states.
#include "parallel.h"

#include "pool.h"
#include "word.h"

namespace unroll {

namespace {

#if UNROLL_THREADS

enum State : int32_t { absent, idle, asleep, assigned, running, watched, ended };

struct alignas(128) Slot {
  Word state;
#if !defined(__wasm__)
  std::thread thread;
#endif
};

#endif
}  // namespace

#if UNROLL_THREADS

struct Pool {
  // The job. The caller changes it only while no worker is in the state assigned, running or watched.
  void (*body)(void*, int) = nullptr;
  void* context = nullptr;
  int count = 0;
  bool is_team = false;
  alignas(128) Word next;  // the index of the next item

  // The barrier of a team: how many members have reached it, and how often all have passed it.
  alignas(128) Word barrier_count;
  alignas(128) Word barrier_phase;

  Word wanted;                 // the number of threads to use, including the caller
  alignas(128) Word arrivals;  // how many workers have taken a slot
  int present = 0;             // the workers of the first `present` slots have arrived
  int cores = 0;
  int slice_bytes = 0;
  bool may_wait = false;
  Slot slots[most_threads - 1];
#if !defined(__wasm__)
  Cores machine;
  int callers_core = unset;  // the core that workers do not run on; -1: none
  unsigned jobs = 0;
  static constexpr int unset = -2;
#endif

  // Returns how often to spin before sleeping: 0 if there are more threads than cores, because the thread that is waited for
  // may need this core.
  int spins(int threads) const { return threads <= cores ? spin_limit : 0; }
};

namespace {

#if defined(__wasm__)
Pool the_pool;
inline Pool* entered_pool() { return &the_pool; }
#else
thread_local Pool* the_pool = nullptr;
inline Pool* entered_pool() { return the_pool; }
#endif

// What this thread runs. 0: no body of parallel_for or parallel_team; 1: a body outside a team; n: as the caller, a body of a
// team of n; -n: as a worker, a body of a team of n. Workers may always sleep; the caller may sleep if pool.may_wait.
thread_local int team_size = 0;

// Waits while word is `value`: spins first, then sleeps if the thread may.
inline void wait_while(Word& word, int32_t value, int spins, bool may_wait) {
  for (int turn = 0; word.load() == value; turn++) {
    if (turn < spins || !may_wait) {
      pause();
    } else {
      word.wait(value);
    }
  }
}

void take_items(Pool& pool) {
  for (int i; (i = pool.next.add(1)) < pool.count;) pool.body(pool.context, i);
}

// Runs a worker from its arrival until its pool is destroyed.
void work(Pool& pool, int index) {
  Slot& slot = pool.slots[index];
  slot.state.store(idle);
  for (;;) {
    int32_t state = slot.state.load();
    for (int turn = 0; state == idle && turn < pool.spins(pool.wanted.load()); turn++) {
      pause();
      state = slot.state.load();
    }
    if (state == idle && slot.state.replace(idle, asleep)) state = asleep;
    while (state == asleep) {
      slot.state.wait(asleep);
      state = slot.state.load();
    }
    if (state == ended) return;
    if (state != assigned || !slot.state.replace(assigned, running)) continue;
    if (pool.is_team) {
      team_size = -pool.count;
      pool.body(pool.context, index + 1);
    } else {
      team_size = 1;
      take_items(pool);
    }
    team_size = 0;
    if (slot.state.exchange(idle) == watched) slot.state.wake();
  }
}

// Waits until all workers have finished. Withdraws the job from those that have not accepted it, except in a team.
void finish(Pool& pool, int helpers) {
  int spins = pool.spins(helpers + 1);
  for (int w = 0; w < helpers; w++) {
    Word& state = pool.slots[w].state;
    if (pool.is_team) {
      while (state.load() == assigned) {
        if (spins || !pool.may_wait) {
          pause();
        } else {
          state.wait_briefly(assigned);
        }
      }
    } else if (state.replace(assigned, idle)) {
      continue;
    }
    for (int turn = 0; turn < spins && state.load() == running; turn++) pause();
    if (pool.may_wait) {
      if (state.replace(running, watched)) wait_while(state, watched, 0, true);
    } else {
      wait_while(state, running, 0, false);
    }
  }
}

#if defined(__wasm__)
inline void keep_apart(Pool&) {}
#else
// Sets the affinity of the workers so that they do not run on the caller's core. Otherwise Linux tends to wake a thread on
// the core of its waker, and both share that core until the load balancer runs, 4 to 15 ms later. The affinity of the caller
// can change at any time (taskset). Reading it takes as long as a small job, so it is read once every 64 jobs.
constexpr unsigned jobs_per_affinity_check = 64;
inline void keep_apart(Pool& pool) {
  const bool changed = pool.jobs++ % jobs_per_affinity_check == 0 && pool.machine.read_affinity();
  const bool enough_cores = pool.wanted.load() <= pool.machine.count(pool.cores);
  const int core = enough_cores ? pool.machine.current() : -1;
  if (core == pool.callers_core && !changed) return;
  pool.callers_core = core;
  for (Slot& slot : pool.slots) {
    if (slot.thread.joinable()) pool.machine.exclude_core(slot.thread, core);
  }
}
#endif

void run(Pool& pool, int helpers, int count, void (*body)(void*, int), void* context, bool is_team) {
  pool.body = body;
  pool.context = context;
  pool.count = count;
  pool.is_team = is_team;
  pool.next.store(0);
  pool.barrier_count.store(0);
  keep_apart(pool);
  for (int w = 0; w < helpers; w++) {
    Word& state = pool.slots[w].state;
    if (state.exchange(assigned) == asleep) state.wake();
  }
  if (is_team) {
    team_size = count;
    body(context, 0);
  } else {
    team_size = 1;
    take_items(pool);
  }
  finish(pool, helpers);
  team_size = 0;
}

}  // namespace

int parallel_threads() {
  Pool* pool = entered_pool();
  if (!pool || team_size) return 1;
  int helpers = pool->wanted.load() - 1;
  while (pool->present < helpers && pool->slots[pool->present].state.load() != absent) pool->present++;
  return 1 + (helpers < pool->present ? helpers : pool->present);
}

static void serial(int count, void (*body)(void*, int), void* context) {
  int outer = team_size;
  team_size = 1;
  for (int i = 0; i < count; i++) body(context, i);
  team_size = outer;
}

void parallel_for(int count, void (*body)(void*, int), void* context) {
  int threads = count > 1 ? parallel_threads() : 1;
  if (threads > count) threads = count;
  if (threads < 2) return serial(count, body, context);
  run(*entered_pool(), threads - 1, count, body, context, false);
}

void parallel_team(int count, void (*body)(void*, int), void* context) {
  if (count < 2) return serial(count, body, context);
  if (count > parallel_threads()) __builtin_trap();  // one thread cannot run several bodies that wait for each other
  run(*entered_pool(), count - 1, count, body, context, true);
}

void team_barrier() {
  const int members = team_size < 0 ? -team_size : team_size;
  if (members < 2) return;
  Pool& pool = *entered_pool();
  int32_t phase = pool.barrier_phase.load();
  if (pool.barrier_count.add(1) + 1 == members) {
    pool.barrier_count.store(0);
    pool.barrier_phase.store(phase + 1);
    pool.barrier_phase.wake();
  } else {
    // Members arrive within a microsecond or two, unless one of them needs this core to run.
    const bool may_wait = team_size < 0 || pool.may_wait;
    for (int turn = 0; turn < pool.spins(members) && pool.barrier_phase.load() == phase; turn++) {
      if (turn < barrier_spins || !may_wait) {
        pause();
      } else {
        pool.barrier_phase.wait_briefly(phase);
      }
    }
    wait_while(pool.barrier_phase, phase, 0, may_wait);
  }
}

int pool_get_threads() { return entered_pool() && entered_pool()->wanted.load() > 1 ? entered_pool()->wanted.load() : 1; }
static int store_wanted(Pool& pool, int count) {
  count = count < 1 ? 1 : count > most_threads ? most_threads : count;
  pool.wanted.store(count);
  return count;
}

#else  // no threads

void parallel_for(int count, void (*body)(void*, int), void* context) {
  for (int i = 0; i < count; i++) body(context, i);
}
void parallel_team(int count, void (*body)(void*, int), void* context) {
  if (count > 1) __builtin_trap();
  if (count == 1) body(context, 0);
}
int parallel_threads() { return 1; }
void team_barrier() {}
int pool_get_threads() { return 1; }
void pool_set_threads(int) {}

#endif

#if defined(__wasm__)

// The address of the scratch memory of this thread, set by the loader.
#if UNROLL_THREADS
static thread_local float* thread_scratch = nullptr;
#else
static float* thread_scratch = nullptr;
#endif
float* scratch() { return thread_scratch; }

#if UNROLL_THREADS
void pool_set_threads(int count) { store_wanted(the_pool, count); }
extern "C" {
void pool_configure(int cores, int may_wait, float* scratch_memory) {
  the_pool.cores = cores;
  the_pool.may_wait = may_wait != 0;
  thread_scratch = scratch_memory;
}
void pool_worker(float* scratch_memory) {
  thread_scratch = scratch_memory;
  int index = the_pool.arrivals.add(1);
  if (index < most_threads - 1) work(the_pool, index);
}
}
#else
extern "C" void pool_configure(int, int, float* scratch_memory) { thread_scratch = scratch_memory; }
#endif
extern "C" int pool_active() { return parallel_threads(); }
extern "C" int pool_scratch_bytes() { return scratch_floats() * sizeof(float); }

#else  // native

namespace {
struct Scratch {
  float* memory = nullptr;
  ~Scratch() { ::operator delete[](memory, std::align_val_t(64)); }
};
thread_local Scratch thread_scratch;
}  // namespace

float* scratch() {
  if (!thread_scratch.memory) {
    thread_scratch.memory = static_cast<float*>(::operator new[](scratch_floats() * sizeof(float), std::align_val_t(64)));
  }
  return thread_scratch.memory;
}

int slice_bytes() { return the_pool ? the_pool->slice_bytes : 0; }

Pool* pool_create(int cores, int slice_bytes) {
  Pool* pool = new Pool;
  pool->cores = cores;
  pool->slice_bytes = slice_bytes;
  pool->may_wait = true;
  return pool;
}

void pool_destroy(Pool* pool) {
  for (Slot& slot : pool->slots) {
    if (!slot.thread.joinable()) continue;
    // A thread that is still arriving would overwrite the state `ended` with `idle`.
    while (slot.state.load() == absent) std::this_thread::yield();
    slot.state.exchange(ended);
    slot.state.wake();
    slot.thread.join();
  }
  delete pool;
}

Pool* pool_enter(Pool* pool) {
  Pool* before = the_pool;
  the_pool = pool;
  return before;
}

void pool_set_threads(int count) {
  Pool* pool = entered_pool();
  if (!pool) return;
  count = store_wanted(*pool, count);
  pool->callers_core = Pool::unset;
  for (int index = 0; index < count - 1; index++) {
    Slot& slot = pool->slots[index];
    if (slot.thread.joinable()) continue;
    try {
      slot.thread = std::thread([pool, index] {
        the_pool = pool;
        flush_denormals();
        work(*pool, index);
      });
    } catch (const std::system_error&) {
      return;  // the system allows no more threads; the pool uses those that have started
    }
  }
}

#endif

}  // namespace unroll
