/** Runs an optimizer on given gradients, without a model, with the buffers that a training step would pass to it. */
import { scope } from '@unroll/core';
import { FlatBuffer, runtime, valuesOf } from '@unroll/core/internal';
import { type AverageOptions, type Clip, type Optimizer, WeightAverage } from '@unroll/train';
import { checkClip, clipGradients, normsFromSquares, sumsOfSquares } from '@unroll/train/internal';

export interface OptimizerRun {
  /** Initial values of each parameter. */
  initial: readonly ArrayLike<number>[];
  /** For each step, the gradient of each parameter. */
  gradients: readonly (readonly ArrayLike<number>[])[];
  clip?: Clip | null;
  average?: AverageOptions | null;
}

export interface OptimizerSteps {
  /** The concatenated parameters after each step. */
  after: Float64Array[];
  /** The moving averages of the parameters after each step, if `average` is set. */
  averages: Float64Array[];
  /** For each step, whether it clipped the gradients. */
  clipped: boolean[];
}

export async function runOptimizer(
  optimizer: Optimizer,
  { initial, gradients, clip = null, average = null }: OptimizerRun,
): Promise<OptimizerSteps> {
  let length = 0;
  const slices = initial.map((values, i) => {
    const slice = { name: `p${i}/kernel`, offset: length, size: values.length };
    length += values.length;
    return slice;
  });
  const fill = (buffer: FlatBuffer, parts: readonly ArrayLike<number>[]): void => {
    slices.forEach(({ offset }, i) => {
      buffer.write(parts[i]!, offset);
    });
  };
  const weights = new FlatBuffer(length);
  const grads = new FlatBuffer(length);
  const slots = optimizer.slots.map(() => new FlatBuffer(length));
  fill(weights, initial);
  const movingAverage = average && new WeightAverage(weights, average);
  const steps: OptimizerSteps = { after: [], averages: [], clipped: [] };
  for (const [n, gradient] of gradients.entries()) {
    fill(grads, gradient);
    const norm = await normOf(grads);
    const { clipped, gScale } = await clipGradients(checkClip(clip), { buffer: grads, slices }, norm);
    steps.clipped.push(clipped);
    scope(() => {
      const { backend } = runtime.scope!;
      optimizer.update({
        kernels: backend.kernels,
        w: weights.block(),
        g: grads.block(),
        slots: slots.map((slot) => slot.block()),
        step: n + 1,
        rate: optimizer.rate(n),
        gScale,
        slices,
        part: (block, offset, size) => backend.view(block, offset, size),
      });
    });
    movingAverage?.update();
    steps.after.push(Float64Array.from(await weights.read()));
    if (movingAverage) steps.averages.push(Float64Array.from(await movingAverage.buffer.read()));
  }
  return steps;
}

/** Returns the norm of all values of a buffer. */
export async function normOf(buffer: FlatBuffer): Promise<number> {
  const [squares] = await valuesOf([scope(() => sumsOfSquares([buffer.block()]))]);
  return (await normsFromSquares(squares!, () => [buffer.block()]))[0]!;
}
