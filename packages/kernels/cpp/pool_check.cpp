// A self-check of the thread pool, used by the tests of every build: each item of a job runs exactly once, every thread
// sees what the caller wrote before the job, threads do not share scratch memory, and no member of a team passes a barrier
// before all members have reached it.
#include "parallel.h"
#include "pool.h"

namespace unroll {

namespace {

constexpr int most_items = 64;

// Spins for `turns` iterations, so that the items of a job differ in duration.
void spin(int turns) {
  volatile int sink = 0;
  for (int i = 0; i < turns; i++) sink = i;
  (void)sink;
}

int check_items(int count, int round) {
  int ran[most_items] = {}, nested[most_items] = {}, wrong[most_items] = {};
  parallel(count, [&](int i) {
    float* memory = scratch();
    memory[0] = memory[scratch_floats() - 1] = static_cast<float>(i);
    ran[i] += 1 + round;
    spin(i * 7 % 50);
    parallel(3, [&](int j) { nested[i] += j + parallel_threads(); });
    if (memory[0] != static_cast<float>(i) || memory[scratch_floats() - 1] != memory[0]) wrong[i] = 1;
  });
  int errors = 0;
  for (int i = 0; i < most_items; i++) {
    errors += ran[i] != (i < count ? 1 + round : 0) || nested[i] != (i < count ? 6 : 0) || wrong[i];
  }
  return errors;
}

int check_team(int members) {
  constexpr int steps = 5;
  int reached[most_items] = {}, wrong[most_items] = {};
  team(members, [&](int i) {
    for (int step = 1; step <= steps; step++) {
      spin((i * 31 + step * 17) % 60);
      reached[i] = step;
      team_barrier();
      for (int j = 0; j < members; j++) wrong[i] += reached[j] != step;
      team_barrier();
    }
  });
  int errors = 0;
  for (int i = 0; i < members; i++) errors += wrong[i] || reached[i] != steps;
  return errors;
}

}  // namespace

int pool_check(int rounds) {
  int errors = 0;
  for (int round = 0; round < rounds; round++) {
    errors += check_items(1 + round * 7 % most_items, round);
    if (round % 8 == 0) {
      const int threads = parallel_threads();
      errors += check_team(threads < most_items ? threads : most_items);
    }
  }
  return errors;
}

}  // namespace unroll
