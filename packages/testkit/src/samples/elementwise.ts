/** Samples of the elementwise ops. */
import type { Shape } from '@unroll/core';
import { formatShape } from '@unroll/core';
import { awayFrom, eitherSign, grid, integers, normal, type TensorGenerator, uniform } from '../draw.js';
import { PIECEWISE_CONSTANT, type SampleFor, type Samples } from './sample.js';

type Unary = SampleFor<'neg'>;
type Binary = SampleFor<'add'>;
type GeneratorOf = (shape: Shape) => TensorGenerator;

const SHAPES: readonly Shape[] = [[], [0], [1], [3], [17], [33], [2, 3, 5], [3, 0, 2], [1, 257]];

/** Returns samples of a unary op for every shape. `domain` draws inputs where the op is defined and smooth. */
function unary(domain: GeneratorOf, gradient: true | string = true): Unary[] {
  return SHAPES.map((shape) => ({
    name: formatShape(shape),
    inputs: [domain(shape)],
    attrs: {},
    gradients: [gradient],
  }));
}

/** Shapes of two inputs that broadcast to one shape. */
const SHAPE_PAIRS: readonly (readonly [Shape, Shape])[] = [
  [[], []],
  [[1], [1]],
  [[3], [3]],
  [[17], [17]],
  [[33], [33]],
  [
    [2, 3, 5],
    [2, 3, 5],
  ],
  [[5], []],
  [[], [33]],
  [[3, 1], [17]],
  [
    [33, 17],
    [1, 17],
  ],
  [
    [33, 17],
    [33, 1],
  ],
  [[17], [33, 17]],
  [
    [2, 3, 4],
    [3, 1],
  ],
  [
    [2, 1, 3, 1],
    [4, 1, 5],
  ],
  [
    [0, 3],
    [1, 3],
  ],
  [
    [3, 1],
    [3, 0],
  ],
  [
    [1, 1, 3],
    [3, 1, 1],
  ],
];

/** Returns samples of a binary op for every pair of shapes. */
function binary(
  left: GeneratorOf,
  right: GeneratorOf,
  gradients: readonly [true | string, true | string] = [true, true],
): Binary[] {
  return SHAPE_PAIRS.map(([a, b]) => ({
    name: `${formatShape(a)} with ${formatShape(b)}`,
    inputs: [left(a), right(b)],
    attrs: {},
    gradients,
  }));
}

const standardNormal: GeneratorOf = (shape) => normal(shape);
const wideNormal: GeneratorOf = (shape) => normal(shape, 3);
const positive: GeneratorOf = (shape) => uniform(0.25, 3, shape);
const nonzero: GeneratorOf = (shape) => eitherSign(0.4, 2, shape);
// biome-ignore format: one line
const avoiding = (...kinks: number[]): GeneratorOf => (shape) => awayFrom(kinks, shape);
const onGrid: GeneratorOf = (shape) => grid(shape);
const offGrid: GeneratorOf = (shape) => grid(shape, 0.1);
const smallIntegers: GeneratorOf = (shape) => integers(3, shape);

export const elementwiseSamples = {
  neg: unary(standardNormal),
  abs: unary(avoiding(0)),
  sign: unary(avoiding(0), PIECEWISE_CONSTANT),
  square: unary(standardNormal),
  sqrt: unary(positive),
  reciprocal: unary(nonzero),
  exp: unary(standardNormal),
  log: unary(positive),
  tanh: unary(wideNormal),
  sigmoid: unary(wideNormal),
  hardSigmoid: unary(avoiding(-3, 3)),
  relu: unary(avoiding(0)),
  softplus: unary(wideNormal),
  floor: unary(avoiding(-4, -3, -2, -1, 0, 1, 2, 3, 4), PIECEWISE_CONSTANT),
  log1p: unary((shape) => uniform(-0.7, 3, shape)),
  erf: unary(standardNormal),
  isFinite: unary(standardNormal, PIECEWISE_CONSTANT),
  add: binary(standardNormal, standardNormal),
  sub: binary(standardNormal, standardNormal),
  mul: binary(standardNormal, standardNormal),
  div: binary(standardNormal, nonzero),
  max: binary(onGrid, offGrid),
  min: binary(onGrid, offGrid),
  pow: binary(positive, standardNormal),
  eq: binary(smallIntegers, smallIntegers, [PIECEWISE_CONSTANT, PIECEWISE_CONSTANT]),
  gt: binary(smallIntegers, smallIntegers, [PIECEWISE_CONSTANT, PIECEWISE_CONSTANT]),
  ge: binary(smallIntegers, smallIntegers, [PIECEWISE_CONSTANT, PIECEWISE_CONSTANT]),
} satisfies Partial<Samples>;
