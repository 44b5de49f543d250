/** Samples of the ops that reduce, rearrange or multiply whole tensors. */
import { formatShape, type MatmulOptions, type Shape } from '@unroll/core';
import { distinct, integers, normal, type TensorGenerator, uniform } from '../draw.js';
import { ABSENT, type InputsOf, type Sample, type SampleFor, type Samples } from './sample.js';

/** Returns a sample of an op with one input. */
const oneInput = <A>(name: string, input: TensorGenerator, attrs: A): Sample<A, InputsOf<'reshape'>> => ({
  name,
  inputs: [input],
  attrs,
  gradients: [true],
});

const REDUCTIONS: readonly (readonly [outer: number, n: number, inner: number])[] = [
  [1, 1, 1],
  [1, 17, 1],
  [3, 5, 1],
  [1, 3, 33],
  [2, 3, 5],
  [3, 33, 17],
  [17, 1, 3],
  [1, 1030, 1],
  [1, 70, 67],
  [0, 3, 2],
  [3, 0, 2],
  [3, 2, 0],
];

/** Returns samples that reduce the middle axis. */
function reductions(generatorOf: (shape: Shape) => TensorGenerator): SampleFor<'reduceSum'>[] {
  return REDUCTIONS.map(([outer, n, inner]) =>
    oneInput(`[${outer}, (${n}), ${inner}]`, generatorOf([outer, n, inner]), { outer, n, inner }),
  );
}

function permutation(shape: Shape, order: readonly number[]): SampleFor<'permute'> {
  return oneInput(`${formatShape(shape)} as ${formatShape(order)}`, normal(shape), { order });
}

/** Returns a sample of `reshape` or `broadcastTo`. */
function shapeChange(from: Shape, to: Shape): SampleFor<'reshape'> {
  return oneInput(`${formatShape(from)} to ${formatShape(to)}`, normal(from), { shape: to });
}

function sliceOf(shape: Shape, starts: readonly number[], sizes: readonly number[]): SampleFor<'slice'> {
  return oneInput(`${formatShape(sizes)} of ${formatShape(shape)} at ${formatShape(starts)}`, normal(shape), {
    starts,
    sizes,
  });
}

/** Returns a sample that pads a tensor of shape `from` with zeros to `shape`. */
function padding(from: Shape, starts: readonly number[], shape: Shape): SampleFor<'pad'> {
  const name = `${formatShape(from)} in ${formatShape(shape)} at ${formatShape(starts)}`;
  return oneInput(name, normal(from), { starts, shape });
}

function concatenation(axis: number, ...shapes: Shape[]): SampleFor<'concat'> {
  return {
    name: `${shapes.map(formatShape).join(' ')} along ${axis}`,
    inputs: shapes.map((shape) => normal(shape)),
    attrs: { axis },
    gradients: shapes.map(() => true),
  };
}

function unstacking(shape: Shape, axis: number): SampleFor<'unstack'> {
  return oneInput(`${formatShape(shape)} along ${axis}`, normal(shape), { axis });
}

function reversal(shape: Shape, axis: number): SampleFor<'reverse'> {
  return oneInput(`${formatShape(shape)} along ${axis}`, normal(shape), { axis });
}

function product(a: Shape, b: Shape, attrs: MatmulOptions = {}): SampleFor<'matmul'> {
  return {
    name: `${formatShape(a)}${attrs.transA ? 'ᵀ' : ''} times ${formatShape(b)}${attrs.transB ? 'ᵀ' : ''}`,
    inputs: [normal(a), normal(b), null],
    attrs,
    gradients: [true, true, ABSENT],
    checkedElements: 3,
  };
}

/** Returns a sample of a product with a bias that is added to every row. */
function productWithBias(a: Shape, b: Shape, attrs: MatmulOptions = {}): SampleFor<'matmul'> {
  const sample = product(a, b, attrs);
  const bias = normal([b[b.length - (attrs.transB ? 2 : 1)]]);
  const [left, right] = sample.inputs;
  const name = `${sample.name} with a bias`;
  return { ...sample, name, inputs: [left, right, bias], gradients: [true, true, true] };
}

/**
 * Returns products a·b of shapes [m, k] and [k, n], with all combinations of transposed inputs: single products, batches of a
 * times a single b, and batches of a times batches of b.
 */
function products(m: number, k: number, n: number): SampleFor<'matmul'>[] {
  return [0, 1, 2, 3].flatMap((variant) => {
    const attrs: MatmulOptions = { transA: (variant & 1) === 1, transB: (variant & 2) === 2 };
    const a = attrs.transA ? [k, m] : [m, k];
    const b = attrs.transB ? [n, k] : [k, n];
    return [product(a, b, attrs), product([3, ...a], b, attrs), product([2, 2, ...a], [2, 2, ...b], attrs)];
  });
}

/** Returns samples of ops that work on the rows (the last axis) of tensors. */
function rowSamples(generatorOf: (shape: Shape) => TensorGenerator): SampleFor<'softmax'>[] {
  const shapes: Shape[] = [[1], [3], [17], [4, 33], [2, 3, 5], [3, 1], [0, 3], [3, 0], [5, 130]];
  return shapes.map((shape) => oneInput(formatShape(shape), generatorOf(shape), {}));
}

function largestOf(shape: Shape, k: number): SampleFor<'topK'> {
  return oneInput(`${k} of ${formatShape(shape)}`, distinct(shape), { k });
}

function lookup(table: readonly [number, number], ids: Shape): SampleFor<'gather'> {
  return {
    name: `${formatShape(ids)} of ${formatShape(table)}`,
    inputs: [normal(table), integers(table[0], ids)],
    attrs: {},
    gradients: [true, 'row indices are integers'],
  };
}

type Name =
  | `reduce${'Sum' | 'Max' | 'Min' | 'SumSquares'}`
  | 'reshape' | 'permute' | 'broadcastTo' | 'slice' | 'pad' | 'concat' | 'unstack' | 'reverse'
  | 'matmul' | 'softmax' | 'logSoftmax' | 'topK' | 'gather'; // biome-ignore format: a list

export const shapeSamples: Pick<Samples, Name> = {
  reduceSum: reductions(normal),
  reduceMax: reductions(distinct),
  reduceMin: reductions(distinct),
  reduceSumSquares: reductions(normal),
  reshape: [
    shapeChange([2, 3], [3, 2]),
    shapeChange([], [1, 1]),
    shapeChange([17], [1, 17]),
    shapeChange([0, 3], [3, 0, 2]),
  ],
  permute: [
    permutation([3, 5], [1, 0]),
    permutation([33, 17], [1, 0]),
    permutation([2, 3, 5], [1, 0, 2]),
    permutation([2, 3, 5], [2, 0, 1]),
    permutation([17, 3, 33], [2, 1, 0]),
    permutation([2, 3, 4, 5], [3, 1, 2, 0]),
    permutation([1, 3, 1, 5], [3, 0, 1, 2]),
    permutation([3, 0, 2], [2, 1, 0]),
    permutation([2, 1, 2, 3, 2, 2, 3], [6, 0, 5, 1, 4, 2, 3]),
  ],
  broadcastTo: [
    shapeChange([], [3]),
    shapeChange([1], [17]),
    shapeChange([3, 1], [2, 3, 17]),
    shapeChange([1, 33], [5, 33]),
    shapeChange([2, 1, 3, 1], [2, 4, 3, 5]),
    shapeChange([1, 3], [0, 3]),
  ],
  slice: [
    sliceOf([17], [3], [9]),
    sliceOf([33, 17], [0, 5], [33, 3]),
    sliceOf([33, 17], [7, 0], [1, 17]),
    sliceOf([2, 3, 5], [1, 1, 1], [1, 2, 3]),
    sliceOf([2, 3, 5], [0, 3, 0], [2, 0, 5]),
  ],
  pad: [
    padding([3], [2], [9]),
    padding([33, 17], [0, 1], [33, 19]),
    padding([2, 3, 5], [1, 0, 2], [4, 3, 7]),
    padding([2, 0], [1, 1], [3, 3]),
  ],
  concat: [
    concatenation(0, [3], [1], [17]),
    concatenation(1, [3, 1], [3, 33], [3, 0]),
    concatenation(0, [2, 3, 5], [1, 3, 5]),
    concatenation(1, [2, 3, 5], [2, 1, 5], [2, 17, 5]),
    concatenation(2, [2, 3, 1], [2, 3, 3]),
  ],
  unstack: [
    unstacking([5], 0),
    unstacking([3, 17], 1),
    unstacking([3, 4, 33], 1),
    unstacking([2, 3, 4], 2),
    unstacking([2, 3, 0], 1),
  ],
  reverse: [
    reversal([1], 0),
    reversal([33], 0),
    reversal([2, 3, 5], 0),
    reversal([2, 3, 5], 1),
    reversal([17, 3, 33], 2),
    reversal([3, 0, 2], 1),
  ],
  matmul: [
    ...products(1, 1, 1),
    ...products(3, 5, 4),
    ...products(17, 3, 33),
    ...products(1, 33, 17),
    ...products(33, 17, 1),
    ...products(3, 0, 5),
    ...products(0, 3, 5),
    product([70, 65], [65, 130]),
    product([130, 70], [65, 70], { transB: true }),
    product([65, 130], [65, 70], { transA: true }),
    productWithBias([3, 5], [5, 4]),
    productWithBias([2, 3, 5], [5, 17]),
    productWithBias([2, 3, 5], [2, 5, 4]),
    productWithBias([40, 33], [33, 18]),
    productWithBias([3, 0], [0, 5]),
    productWithBias([5, 3], [4, 5], { transA: true, transB: true }),
  ],
  softmax: rowSamples((shape) => normal(shape, 2)),
  logSoftmax: rowSamples((shape) => uniform(-4, 4, shape)),
  topK: [
    largestOf([17], 17),
    largestOf([3, 5], 1),
    largestOf([2, 3, 70], 4),
    largestOf([2, 300], 10),
    largestOf([0, 3], 2),
  ],
  gather: [
    lookup([5, 3], [4]),
    lookup([3, 17], [2, 5]),
    lookup([7, 33], [3, 1, 2]),
    lookup([4, 1], [33]),
    lookup([2, 3], [0]),
    lookup([1, 3], []),
  ],
};
