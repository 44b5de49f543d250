/** Samples of the ops that implement losses: class indices and likelihoods. */
import { formatShape, type Shape } from '@unroll/core';
import { between, type Maker, normal, whole } from '../draw.js';
import type { SampleFor, Samples } from './sample.js';

const CLASSES = 'classes are integers';
const TARGET = 'targets are data';

function classes(rows: number, count: number, deviation = 1): SampleFor<'pick'> {
  return {
    name: `${formatShape([rows, count])}${deviation === 1 ? '' : ` of deviation ${deviation}`}`,
    inputs: [normal([rows, count], deviation), whole(count, [rows])],
    attrs: {},
    gradients: [true, CLASSES],
  };
}

const CLASS_SIZES = [classes(1, 1), classes(5, 3), classes(17, 33), classes(3, 130), classes(0, 3)];
const SHAPES: readonly Shape[] = [[], [0], [1], [17], [3, 5], [2, 3, 33]];

function likelihood(
  target: (shape: Shape) => Maker,
  ...parameters: ((shape: Shape) => Maker)[]
): SampleFor<'studentTLogLoss'>[] {
  return SHAPES.map((shape) => ({
    name: formatShape(shape),
    inputs: [target(shape), ...parameters.map((parameter) => parameter(shape))],
    attrs: {},
    gradients: [TARGET, ...parameters.map((): true => true)],
  }));
}

// biome-ignore format: one line
const uniform = (low: number, high: number) => (shape: Shape): Maker => between(low, high, shape);

export const lossSamples = {
  pick: CLASS_SIZES,
  sparseCrossentropy: [...CLASS_SIZES, classes(7, 11, 20)],
  studentTLogLoss: likelihood(normal, uniform(1.5, 8), normal, uniform(0.3, 2)),
  negativeBinomialLogLoss: [
    ...likelihood((shape) => whole(12, shape), uniform(0.3, 6), uniform(0.05, 2)),
    {
      // For a dispersion below 1/100 the op uses another series.
      name: 'nearly Poisson',
      inputs: [whole(12, [33]), between(0.3, 6, [33]), between(0.0005, 0.02, [33])],
      attrs: {},
      gradients: [TARGET, true, true],
    },
  ],
} satisfies Partial<Samples>;
