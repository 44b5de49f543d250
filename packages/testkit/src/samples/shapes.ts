/** Samples of the ops that reduce, rearrange or multiply whole tensors. */
import { formatShape, type MatmulOptions, type Shape } from '@unroll/core';
import { between, distinct, type Maker, normal, whole } from '../draw.js';
import { ABSENT, type InputsOf, type Sample, type SampleFor, type Samples } from './sample.js';

const one = <A>(name: string, input: Maker, attrs: A): Sample<A, InputsOf<'reshape'>> => ({
  name,
  inputs: [input],
  attrs,
  gradients: [true],
});

const MIDDLES: readonly (readonly [number, number, number])[] = [
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

function reduction(maker: (shape: Shape) => Maker): SampleFor<'reduceSum'>[] {
  return MIDDLES.map(([outer, n, inner]) =>
    one(`[${outer}, (${n}), ${inner}]`, maker([outer, n, inner]), { outer, n, inner }),
  );
}

function permutation(shape: Shape, order: readonly number[]): SampleFor<'permute'> {
  return one(`${formatShape(shape)} as ${formatShape(order)}`, normal(shape), { order });
}

function spread(from: Shape, to: Shape): SampleFor<'reshape'> {
  return one(`${formatShape(from)} to ${formatShape(to)}`, normal(from), { shape: to });
}

function part(shape: Shape, starts: readonly number[], sizes: readonly number[]): SampleFor<'slice'> {
  return one(`${formatShape(sizes)} of ${formatShape(shape)} at ${formatShape(starts)}`, normal(shape), {
    starts,
    sizes,
  });
}

function padded(own: Shape, starts: readonly number[], shape: Shape): SampleFor<'pad'> {
  const name = `${formatShape(own)} in ${formatShape(shape)} at ${formatShape(starts)}`;
  return one(name, normal(own), { starts, shape });
}

function joined(axis: number, ...shapes: Shape[]): SampleFor<'concat'> {
  return {
    name: `${shapes.map(formatShape).join(' ')} along ${axis}`,
    inputs: shapes.map((shape) => normal(shape)),
    attrs: { axis },
    gradients: shapes.map(() => true),
  };
}

function reversed(shape: Shape, axis: number): SampleFor<'reverse'> {
  return one(`${formatShape(shape)} along ${axis}`, normal(shape), { axis });
}

function product(a: Shape, b: Shape, attrs: MatmulOptions = {}): SampleFor<'matmul'> {
  return {
    name: `${formatShape(a)}${attrs.transA ? 'ᵀ' : ''} times ${formatShape(b)}${attrs.transB ? 'ᵀ' : ''}`,
    inputs: [normal(a), normal(b), null],
    attrs,
    gradients: [true, true, ABSENT],
    elements: 3,
  };
}

/** A product with a bias that is added to every row. */
function biased(a: Shape, b: Shape, attrs: MatmulOptions = {}): SampleFor<'matmul'> {
  const plain = product(a, b, attrs);
  const bias = normal([b[b.length - (attrs.transB ? 2 : 1)]]);
  const [left, right] = plain.inputs;
  const name = `${plain.name} with a bias`;
  return { ...plain, name, inputs: [left, right, bias], gradients: [true, true, true] };
}

/** [m, k] by [k, n] with every transposition, single and in batches, with b shared or not. */
function products(m: number, k: number, n: number): SampleFor<'matmul'>[] {
  return [0, 1, 2, 3].flatMap((which) => {
    const attrs: MatmulOptions = { transA: (which & 1) === 1, transB: (which & 2) === 2 };
    const a = attrs.transA ? [k, m] : [m, k];
    const b = attrs.transB ? [n, k] : [k, n];
    return [product(a, b, attrs), product([3, ...a], b, attrs), product([2, 2, ...a], [2, 2, ...b], attrs)];
  });
}

function rows(maker: (shape: Shape) => Maker): SampleFor<'softmax'>[] {
  const shapes: Shape[] = [[1], [3], [17], [4, 33], [2, 3, 5], [3, 1], [0, 3], [3, 0], [5, 130]];
  return shapes.map((shape) => one(formatShape(shape), maker(shape), {}));
}

function lookup(table: readonly [number, number], ids: Shape): SampleFor<'gather'> {
  return {
    name: `${formatShape(ids)} of ${formatShape(table)}`,
    inputs: [normal(table), whole(table[0], ids)],
    attrs: {},
    gradients: [true, 'row indices are integers'],
  };
}

type Name =
  | `reduce${'Sum' | 'Max' | 'Min' | 'SumSquares'}`
  | 'reshape' | 'permute' | 'broadcastTo' | 'slice' | 'pad' | 'concat' | 'reverse'
  | 'matmul' | 'softmax' | 'logSoftmax' | 'gather'; // biome-ignore format: a list

export const shapeSamples: Pick<Samples, Name> = {
  reduceSum: reduction(normal),
  reduceMax: reduction(distinct),
  reduceMin: reduction(distinct),
  reduceSumSquares: reduction(normal),
  reshape: [spread([2, 3], [3, 2]), spread([], [1, 1]), spread([17], [1, 17]), spread([0, 3], [3, 0, 2])],
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
    spread([], [3]),
    spread([1], [17]),
    spread([3, 1], [2, 3, 17]),
    spread([1, 33], [5, 33]),
    spread([2, 1, 3, 1], [2, 4, 3, 5]),
    spread([1, 3], [0, 3]),
  ],
  slice: [
    part([17], [3], [9]),
    part([33, 17], [0, 5], [33, 3]),
    part([33, 17], [7, 0], [1, 17]),
    part([2, 3, 5], [1, 1, 1], [1, 2, 3]),
    part([2, 3, 5], [0, 3, 0], [2, 0, 5]),
  ],
  pad: [
    padded([3], [2], [9]),
    padded([33, 17], [0, 1], [33, 19]),
    padded([2, 3, 5], [1, 0, 2], [4, 3, 7]),
    padded([2, 0], [1, 1], [3, 3]),
  ],
  concat: [
    joined(0, [3], [1], [17]),
    joined(1, [3, 1], [3, 33], [3, 0]),
    joined(0, [2, 3, 5], [1, 3, 5]),
    joined(1, [2, 3, 5], [2, 1, 5], [2, 17, 5]),
    joined(2, [2, 3, 1], [2, 3, 3]),
  ],
  reverse: [
    reversed([1], 0),
    reversed([33], 0),
    reversed([2, 3, 5], 0),
    reversed([2, 3, 5], 1),
    reversed([17, 3, 33], 2),
    reversed([3, 0, 2], 1),
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
    biased([3, 5], [5, 4]),
    biased([2, 3, 5], [5, 17]),
    biased([2, 3, 5], [2, 5, 4]),
    biased([40, 33], [33, 18]),
    biased([3, 0], [0, 5]),
    biased([5, 3], [4, 5], { transA: true, transB: true }),
  ],
  softmax: rows((shape) => normal(shape, 2)),
  logSoftmax: rows((shape) => between(-4, 4, shape)),
  gather: [
    lookup([5, 3], [4]),
    lookup([3, 17], [2, 5]),
    lookup([7, 33], [3, 1, 2]),
    lookup([4, 1], [33]),
    lookup([2, 3], [0]),
    lookup([1, 3], []),
  ],
};
