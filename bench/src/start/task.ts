/** Shared by the processes of `bench:start`: the sizes of the models, and the format of the result. */

/** The LSTM of the first prediction, which returns its last output for one sequence. */
export const SMALL = { I: 1, H: 64, T: 50 } as const;
/** The training run. */
export const LARGE = { I: 128, H: 128, B: 32, T: 100, steps: 50 } as const;

export const task = process.argv.at(-1);

/** Numbers in [-1/2, 1/2), the same in every engine's process. */
export const numbers = (count: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => ((i * 7919) % 1000) / 1000 - 0.5);

/** Reports that the task is done. */
export function report(value: number): void {
  const doneAt = Date.now();
  if (!Number.isFinite(value)) throw new Error(`result must be a finite number, got ${value}`);
  console.log(JSON.stringify({ doneAt, kilobytes: process.resourceUsage().maxRSS }));
}
