/** Samples of the elementwise ops. */
import type { Shape } from '@unroll/core';
import { formatShape } from '@unroll/core';
import { awayFrom, between, eitherSign, grid, type Maker, normal, whole } from '../draw.js';
import { type SampleFor, type Samples, STEP } from './sample.js';

type Unary = SampleFor<'neg'>;
type Binary = SampleFor<'add'>;
type Sized = (shape: Shape) => Maker;

const SHAPES: readonly Shape[] = [[], [0], [1], [3], [17], [33], [2, 3, 5], [3, 0, 2], [1, 257]];

function unary(domain: Sized, gradient: true | string = true): Unary[] {
  return SHAPES.map((shape) => ({
    name: formatShape(shape),
    inputs: [domain(shape)],
    attrs: {},
    gradients: [gradient],
  }));
}

const PAIRS: readonly (readonly [Shape, Shape])[] = [
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

function binary(
  left: Sized,
  right: Sized,
  gradients: readonly [true | string, true | string] = [true, true],
): Binary[] {
  return PAIRS.map(([a, b]) => ({
    name: `${formatShape(a)} with ${formatShape(b)}`,
    inputs: [left(a), right(b)],
    attrs: {},
    gradients,
  }));
}

const any: Sized = (shape) => normal(shape);
const wide: Sized = (shape) => normal(shape, 3);
const positive: Sized = (shape) => between(0.25, 3, shape);
const nonzero: Sized = (shape) => eitherSign(0.4, 2, shape);
// biome-ignore format: one line
const smooth = (...kinks: number[]): Sized => (shape) => awayFrom(kinks, shape);
const onGrid: Sized = (shape) => grid(shape);
const offGrid: Sized = (shape) => grid(shape, 0.1);
const small: Sized = (shape) => whole(3, shape);

export const elementwiseSamples = {
  neg: unary(any),
  abs: unary(smooth(0)),
  sign: unary(smooth(0), STEP),
  square: unary(any),
  sqrt: unary(positive),
  reciprocal: unary(nonzero),
  exp: unary(any),
  log: unary(positive),
  tanh: unary(wide),
  sigmoid: unary(wide),
  hardSigmoid: unary(smooth(-3, 3)),
  relu: unary(smooth(0)),
  softplus: unary(wide),
  floor: unary(smooth(-4, -3, -2, -1, 0, 1, 2, 3, 4), STEP),
  log1p: unary((shape) => between(-0.7, 3, shape)),
  erf: unary(any),
  isFinite: unary(any, STEP),
  add: binary(any, any),
  sub: binary(any, any),
  mul: binary(any, any),
  div: binary(any, nonzero),
  max: binary(onGrid, offGrid),
  min: binary(onGrid, offGrid),
  pow: binary(positive, any),
  eq: binary(small, small, [STEP, STEP]),
  gt: binary(small, small, [STEP, STEP]),
  ge: binary(small, small, [STEP, STEP]),
} satisfies Partial<Samples>;
