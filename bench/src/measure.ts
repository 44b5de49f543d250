/** Timing that can be trusted: warm-up first, then the median and the spread of several rounds. */

export interface Timing {
  /** Milliseconds per call: median, smallest and largest over the rounds. */
  median: number;
  min: number;
  max: number;
}

/** Calls `work` for `warmup` ms untimed, then in `rounds` rounds of about `round` ms each. */
export async function time(
  work: () => void | Promise<void>,
  { warmup = 300, rounds = 7, round = 150 } = {},
): Promise<Timing> {
  let calls = 0;
  const began = performance.now();
  while (performance.now() - began < warmup || calls < 3) {
    await work();
    calls++;
  }
  const perRound = Math.max(1, Math.round((calls * round) / (performance.now() - began)));
  const times: number[] = [];
  for (let r = 0; r < rounds; r++) {
    const start = performance.now();
    for (let i = 0; i < perRound; i++) await work();
    times.push((performance.now() - start) / perRound);
  }
  times.sort((a, b) => a - b);
  return { median: times[rounds >> 1]!, min: times[0]!, max: times.at(-1)! };
}
