/** Samples of the ops that implement losses: cross-entropy of class indices, CTC, and likelihoods. */
import { formatShape, type Shape } from '@unroll/core';
import { integers, normal, type TensorGenerator, uniform } from '../draw.js';
import type { SampleFor, Samples } from './sample.js';

/** Reasons why an input has no gradient. */
const CLASS_INDICES = 'class indices are integers';
const TARGETS = 'targets are data';

/** Returns a sample of scores [rows, classes] with this standard deviation, and a class index for each row. */
function classScores(rows: number, classes: number, deviation = 1): SampleFor<'pick'> {
  return {
    name: `${formatShape([rows, classes])}${deviation === 1 ? '' : ` of deviation ${deviation}`}`,
    inputs: [normal([rows, classes], deviation), integers(classes, [rows])],
    attrs: {},
    gradients: [true, CLASS_INDICES],
  };
}

const CLASS_SAMPLES = [
  classScores(1, 1),
  classScores(5, 3),
  classScores(17, 33),
  classScores(3, 130),
  classScores(0, 3),
];
const SCORES = [...CLASS_SAMPLES, classScores(7, 11, 20)];
const SHAPES: readonly Shape[] = [[], [0], [1], [17], [3, 5], [2, 3, 33]];

/** Returns samples of a likelihood for every shape. The inputs are the target and the parameters of the distribution. */
function likelihood(
  target: (shape: Shape) => TensorGenerator,
  ...parameters: ((shape: Shape) => TensorGenerator)[]
): SampleFor<'studentTLogLoss'>[] {
  return SHAPES.map((shape) => ({
    name: formatShape(shape),
    inputs: [target(shape), ...parameters.map((parameter) => parameter(shape))],
    attrs: {},
    gradients: [TARGETS, ...parameters.map((): true => true)],
  }));
}

// biome-ignore format: one line
const uniformOf = (low: number, high: number) => (shape: Shape): TensorGenerator => uniform(low, high, shape);

/** Returns a sample of CTC with these targets. @param lengths numbers of input steps; default: all T steps */
function ctcSample(
  name: string,
  [T, C]: readonly [number, number],
  targets: readonly (readonly number[])[],
  lengths: readonly number[] = targets.map(() => T),
  attrs = { blank: 0, zeroInfinity: false },
): SampleFor<'ctc'> {
  const [B, L] = [targets.length, Math.max(...targets.map((labels) => labels.length))];
  const constant = (shape: Shape, values: readonly number[]): TensorGenerator => () => ({ shape, values: Float64Array.from(values) }); // biome-ignore format: one line
  return {
    name,
    inputs: [
      normal([B, T, C]),
      constant(
        [B, L],
        targets.flatMap((labels) => Array.from({ length: L }, (_, i) => labels[i] ?? -1)),
      ),
      constant([B], lengths),
      constant([B], targets.map((labels) => labels.length)), // biome-ignore format: one line
    ],
    attrs,
    gradients: [true, TARGETS, TARGETS, TARGETS],
  };
}

export const lossSamples = {
  ctc: [
    ctcSample('one label', [3, 2], [[1]]),
    ctcSample('different lengths', [7, 4], [[1, 2, 3], [3, 3], [], [2]], [7, 4, 5, 1]), // biome-ignore format: one line
    ctcSample('as many labels as steps', [4, 6], [[1, 2, 3, 4]]),
    ctcSample('the last class is the blank', [6, 3], [[0, 1], [1, 1]], [6, 5], { blank: 2, zeroInfinity: false }), // biome-ignore format: one line
    ctcSample('no alignment, replaced by 0', [3, 3], [[1, 1, 2], [1]], [3, 2], { blank: 0, zeroInfinity: true }), // biome-ignore format: one line
  ],
  pick: CLASS_SAMPLES,
  sparseCrossentropy: [
    ...SCORES.map((sample) => ({ ...sample, attrs: { smoothing: 0 } })),
    // Without the sample that has one class: its gradient, 0, is computed as a difference of rounded numbers.
    ...SCORES.slice(1).map((sample) => ({
      ...sample,
      name: `${sample.name}, smoothed`,
      attrs: { smoothing: 0.1 },
    })),
  ],
  studentTLogLoss: likelihood(normal, uniformOf(1.5, 8), normal, uniformOf(0.3, 2)),
  negativeBinomialLogLoss: [
    ...likelihood((shape) => integers(12, shape), uniformOf(0.3, 6), uniformOf(0.05, 2)),
    {
      // For a dispersion below 1/100 the op uses another series.
      name: 'nearly Poisson',
      inputs: [integers(12, [33]), uniform(0.3, 6, [33]), uniform(0.0005, 0.02, [33])],
      attrs: {},
      gradients: [TARGETS, true, true],
    },
  ],
} satisfies Partial<Samples>;
