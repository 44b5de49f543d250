/** Code shared by the processes of `npm run bench:start`: the tasks, their data and the format of the result. */

/** Sizes of the LSTM of the task `predict`, which computes the last output for one sequence. */
export const PREDICT_SIZES = { I: 1, H: 64, T: 50 } as const;
/** Sizes of the LSTM of the task `train`. */
export const TRAIN_SIZES = { I: 128, H: 128, B: 32, T: 100, steps: 50 } as const;

/** Name of the task: `predict` or `train`. */
export const task = process.argv.at(-1);

/** Generates numbers in [-1/2, 1/2), the same for every engine. */
export const numbers = (count: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => ((i * 7919) % 1000) / 1000 - 0.5);

/** Prints the time and the peak memory at the end of the task. @param value a result, which must be finite */
export function report(value: number): void {
  const doneAt = Date.now();
  if (!Number.isFinite(value)) throw new Error(`The result must be a finite number, got ${value}.`);
  console.log(JSON.stringify({ doneAt, kilobytes: process.resourceUsage().maxRSS }));
}
