/**
 * Runs an optimizer over given gradients, without a model: the buffers that a training step would hand it.
 */
import { scope } from '@unroll/core';
import { FlatBuffer, runtime } from '@unroll/core/internal';
import { type AverageOptions, type Clip, type Optimizer, WeightAverage } from '@unroll/train';
import { checkClip, clipGradients, normOf } from '@unroll/train/internal';

export interface OptimizerRun {
  /** Values of each parameter. */
  initial: readonly ArrayLike<number>[];
  /** For each step the gradient of each parameter. */
  gradients: readonly (readonly ArrayLike<number>[])[];
  clip?: Clip | null;
  average?: AverageOptions | null;
}

export interface OptimizerSteps {
  /** Parameters side by side, after each step. */
  after: Float64Array[];
  /** Their moving averages, where asked for. */
  averages: Float64Array[];
  clipped: boolean[];
}

export function runOptimizer(
  optimizer: Optimizer,
  { initial, gradients, clip = null, average = null }: OptimizerRun,
): OptimizerSteps {
  let length = 0;
  const places = initial.map((values, i) => {
    const place = { name: `p${i}/kernel`, offset: length, size: values.length };
    length += values.length;
    return place;
  });
  const fill = (buffer: FlatBuffer, parts: readonly ArrayLike<number>[]): void => {
    places.forEach(({ offset }, i) => {
      buffer.write(parts[i]!, offset);
    });
  };
  const weights = new FlatBuffer(length);
  const grads = new FlatBuffer(length);
  const slots = optimizer.slots.map(() => new FlatBuffer(length));
  fill(weights, initial);
  const averaged = average && new WeightAverage(weights, average);
  const steps: OptimizerSteps = { after: [], averages: [], clipped: [] };
  gradients.forEach((gradient, n) => {
    fill(grads, gradient);
    scope(() => {
      const { backend } = runtime.scope!;
      const g = grads.block();
      const { clipped, gScale } = clipGradients(checkClip(clip), { backend, g, places }, normOf(backend, g));
      steps.clipped.push(clipped);
      optimizer.update({
        kernels: backend.kernels,
        w: weights.block(),
        g,
        slots: slots.map((slot) => slot.block()),
        step: n + 1,
        rate: optimizer.rate(n),
        gScale,
        places,
        part: (block, offset, size) => backend.view(block, offset, size),
      });
    });
    averaged?.update();
    steps.after.push(Float64Array.from(weights.read()));
    if (averaged) steps.averages.push(Float64Array.from(averaged.buffer.read()));
  });
  return steps;
}
