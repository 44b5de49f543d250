/**
 * Lists the cases of all kernels. This file defines the cases of the kernels that copy, map, reduce, look up rows and draw
 * random numbers. The kernels are called directly, with sizes and values that rarely occur in ops.
 */
import type { BinaryName, KernelName, ReduceName, UnaryName } from '@unroll/core/internal';
import { largestMagnitude } from '../compare.js';
import type { ContractCase } from './case.js';
import { cellCases } from './cells.js';
import { crfKernelCases } from './crf.js';
import { ctcCases } from './ctc.js';
import { differentialCase, draw, MANY, SIZES, type Tolerance, type Trial } from './differential.js';
import { gemmCases } from './gemm.js';
import { optimizerCases } from './optimizers.js';
import { recurrentKernelCases } from './recurrent.js';
import { scanCases } from './scan.js';

const { NaN: nan, POSITIVE_INFINITY: inf } = Number;

const UNARY = [
  'neg', 'abs', 'sign', 'square', 'sqrt', 'reciprocal', 'exp', 'log', 'tanh', 'sigmoid', 'hardSigmoid',
  'relu', 'softplus', 'floor', 'log1p', 'erf', 'isFinite',
] as const satisfies readonly UnaryName[]; // biome-ignore format: a list
const BINARY = [
  'add', 'sub', 'mul', 'div', 'max', 'min', 'pow', 'eq', 'gt', 'ge', 'tanhGrad', 'sigmoidGrad', 'hardSigmoidGrad',
  'reluGrad',
] as const satisfies readonly BinaryName[]; // biome-ignore format: a list
const REDUCE = ['sum', 'max', 'min', 'sumSquares'] as const satisfies readonly ReduceName[];

/** Special values: zeros, infinities, NaN, branch points of functions, and the ends of the float32 range. */
const SPECIAL = [
  0, -0, nan, inf, -inf, 1, -1, 0.5, -0.5, 2.5, -2.5, 1e-3, -1e-3, 1e-30, -1e-30, 3, -3, 2.999, -3.001,
  20, -20, 80, -80, 88, -87, 1000, -1000, 8388608, -8388609, 1e30, -1e30,
].map(Math.fround); // biome-ignore format: a list

/** Returns a tolerance: `factor` times the largest magnitude, but at least the smallest normal number of float32. */
function relative(factor: number): Tolerance {
  return (expected) => Math.max(factor * largestMagnitude(expected), 2 ** -126);
}

function fillTrials(): Trial[] {
  return SIZES.flatMap((size) =>
    [0, -1.5, nan, inf].map((value) => ({
      name: `${size} times ${value}`,
      arrays: { y: draw.normal(size, 'fill') },
      call: (kernels, { y }) => kernels.fill(y, value),
    })),
  );
}

interface CopyLayout {
  shape: readonly number[];
  /** Strides of the source. Its offset is chosen so that the lowest index read is 0. */
  x: readonly number[];
  /** Strides of the destination. Its offset is chosen so that the lowest index written is 0. */
  y: readonly number[];
}

const COPIES: Record<string, CopyLayout> = {
  'a row': { shape: [33], x: [1], y: [1] },
  'a scalar': { shape: [], x: [], y: [] },
  'no elements': { shape: [3, 0, 2], x: [1, 1, 1], y: [2, 2, 1] },
  reversed: { shape: [17], x: [-1], y: [1] },
  'written in reverse': { shape: [17], x: [1], y: [-1] },
  'both in reverse': { shape: [33], x: [-1], y: [-1] },
  'a scalar repeated': { shape: [100], x: [0], y: [1] },
  'every third': { shape: [33], x: [3], y: [1] },
  'to every second': { shape: [33], x: [1], y: [2] },
  'a transposed matrix': { shape: [5, 7], x: [1, 5], y: [7, 1] },
  'a transposed large matrix': { shape: [67, 131], x: [1, 67], y: [131, 1] },
  'a transposed part of a matrix': { shape: [33, 18], x: [1, 40], y: [21, 1] },
  'elements of each row reversed': { shape: [3, 17], x: [17, -1], y: [17, 1] },
  'order of rows reversed': { shape: [5, 16], x: [-16, 1], y: [16, 1] },
  'a transposed matrix, reversed': { shape: [9, 33], x: [1, -9], y: [33, 1] },
  'a row repeated': { shape: [9, 17], x: [0, 1], y: [17, 1] },
  'a column repeated': { shape: [9, 17], x: [1, 0], y: [17, 1] },
  'batch-major to time-major': { shape: [4, 3, 5], x: [5, 20, 1], y: [24, 8, 1] },
  'batch-major to reversed time-major': { shape: [4, 3, 5], x: [-5, 20, 1], y: [24, 8, 1] },
  'three axes permuted': { shape: [3, 17, 5], x: [1, 15, 3], y: [85, 5, 1] },
  'eight axes': {
    shape: [2, 1, 3, 2, 1, 2, 2, 3],
    x: [1, 9, 2, 6, 5, 12, 24, 48],
    y: [72, 72, 24, 12, 12, 6, 3, 1],
  },
};

/** Returns the offset that makes the lowest index 0, and the number of elements from the lowest to the highest index. */
function span(shape: readonly number[], strides: readonly number[]): { offset: number; length: number } {
  const lastOffsets = strides.map((stride, d) => stride * Math.max(0, shape[d] - 1));
  const low = lastOffsets.reduce((total, offset) => total + Math.min(0, offset), 0);
  const high = lastOffsets.reduce((total, offset) => total + Math.max(0, offset), 0);
  return { offset: -low, length: high - low + 1 };
}

function copyTrials(): Trial[] {
  return Object.entries(COPIES).flatMap(([name, { shape, x, y }]) =>
    [0, 5].map((extra) => {
      const [source, destination] = [span(shape, x), span(shape, y)];
      return {
        name: `${name}${extra ? ', at an offset' : ''}`,
        arrays: {
          x: draw.normal(source.length + extra, 'copy'),
          y: draw.nan(destination.length + extra),
        },
        call: (kernels, blocks) =>
          kernels.copy({
            x: blocks.x,
            offsetX: source.offset + extra,
            stridesX: x,
            y: blocks.y,
            offsetY: destination.offset + extra,
            stridesY: y,
            shape,
          }),
      };
    }),
  );
}

function unaryTrials(op: UnaryName): Trial[] {
  const ordinary = SIZES.map((size) => ({
    name: `${op} of ${size} numbers`,
    arrays: { x: draw.normal(size, 'unary'), y: draw.nan(size) },
  }));
  // One trial per number, because the tolerance is relative to the largest number of a trial.
  const special = SPECIAL.map((x) => ({
    name: `${op} of ${x}`,
    arrays: { x: new Float64Array(3).fill(x), y: draw.nan(3) },
    tolerance: relative(op === 'hardSigmoid' ? 1e-5 : 1e-6),
  }));
  const many = { name: `${op} of many`, arrays: { x: draw.normal(MANY, 'many'), y: draw.nan(MANY) } };
  const outOfPlace = [...ordinary, ...special, ...(op === 'tanh' ? [many] : [])].map(
    (trial): Trial => ({ ...trial, call: (kernels, { x, y }) => kernels.unary(op, x, y) }),
  );
  const inPlace: Trial = {
    name: `${op} in place`,
    arrays: { x: draw.normal(37, 'unary') },
    call: (kernels, { x }) => kernels.unary(op, x, x),
  };
  return [...outOfPlace, inPlace];
}

const BROADCASTS: Record<string, { shape: number[]; a: number[]; b: number[] }> = {
  'row and row': { shape: [33], a: [1], b: [1] },
  'row and scalar': { shape: [33], a: [1], b: [0] },
  'scalar and row': { shape: [33], a: [0], b: [1] },
  'scalar and scalar': { shape: [5], a: [0], b: [0] },
  'matrix and row': { shape: [5, 17], a: [17, 1], b: [0, 1] },
  'matrix and column': { shape: [5, 17], a: [17, 1], b: [1, 0] },
  'column and row': { shape: [5, 17], a: [1, 0], b: [0, 1] },
  'matrix and transposed': { shape: [5, 17], a: [17, 1], b: [1, 5] },
  'every second and every third': { shape: [33], a: [2], b: [3] },
  'three axes': { shape: [3, 4, 5], a: [20, 5, 1], b: [5, 0, 1] },
  'no elements': { shape: [0, 5], a: [5, 1], b: [0, 1] },
};

/** Draws operands in the domain of the function: at least 0.25 for pow and div. */
const operand = (op: BinaryName, count: number, name: string): Float64Array =>
  draw.normal(count, name).map((x) => (op === 'pow' || op === 'div' ? Math.fround(Math.abs(x) + 0.25) : x));

function binaryTrials(op: BinaryName): Trial[] {
  const ordinary = Object.entries(BROADCASTS).map(([name, { shape, a, b }]): Trial => {
    const [spanA, spanB] = [span(shape, a), span(shape, b)];
    const size = shape.reduce((total, extent) => total * extent, 1);
    return {
      name: `${op} of ${name}`,
      arrays: {
        a: operand(op, spanA.length, 'a'),
        b: operand(op, spanB.length, 'b'),
        y: draw.nan(size),
      },
      call: (kernels, blocks) =>
        kernels.binary({ op, a: blocks.a, stridesA: a, b: blocks.b, stridesB: b, y: blocks.y, shape }),
    };
  });
  // The *Grad functions take the output of an activation, which is at most 1 except for relu.
  const specialA = SPECIAL.filter((x) => !op.endsWith('Grad') || op === 'reluGrad' || !(Math.abs(x) > 1));
  const pairs = specialA.flatMap((a) => [0, nan, inf, -inf, 1, -2, 2.5].map((b) => [a, b] as const));
  const special = pairs.map(
    ([a, b]): Trial => ({
      name: `${op} of ${a} and ${b}`,
      arrays: { a: new Float64Array(2).fill(a), b: new Float64Array(2).fill(b), y: draw.nan(2) },
      call: (kernels, blocks) => kernels.binary({ op, a: blocks.a, b: blocks.b, y: blocks.y }),
      tolerance: relative(1e-6),
    }),
  );
  const inPlace: Trial = {
    name: `${op} in place`,
    arrays: { a: operand(op, 37, 'a'), b: operand(op, 37, 'b') },
    call: (kernels, { a, b }) => kernels.binary({ op, a, b, y: a }),
  };
  return [...ordinary, ...special, inPlace];
}

/** Shapes [outer, n, inner] of reductions over the middle axis. */
const REDUCE_SHAPES = [
  [1, 1, 1], [1, 17, 1], [3, 33, 1], [1, 3, 17], [3, 5, 33], [2, 67, 130], [5, 1, 3], [0, 3, 5], [3, 0, 5],
  [3, 5, 0], [1, 0, 1], [1, 5000, 1], [1, 300, 9],
] as const; // biome-ignore format: a list

function reduceTrials(op: ReduceName): Trial[] {
  const reduceTrial = (
    name: string,
    x: Float64Array,
    [outer, n, inner]: readonly [number, number, number],
  ): Trial => ({
    name: `${op} of ${name}[${outer}, (${n}), ${inner}]`,
    arrays: { x, y: draw.nan(outer * inner) },
    call: (kernels, blocks) => kernels.reduce(op, blocks.x, blocks.y, inner),
  });
  const ordinary = REDUCE_SHAPES.map((shape) =>
    reduceTrial('', draw.normal(shape[0] * shape[1] * shape[2], 'reduce'), shape),
  );
  const special = [0, 5, 16, 36].flatMap((index) =>
    [nan, inf, -inf].map((value) => {
      const x = draw.normal(37, 'reduce');
      x[index] = value;
      return reduceTrial(`${value} at index ${index} in `, x, [1, 37, 1]);
    }),
  );
  const column = draw.normal(5 * 19, 'reduce');
  column[2 * 19 + 18] = nan;
  return [...ordinary, ...special, reduceTrial('a NaN in ', column, [1, 5, 19])];
}

/** Returns trials that sum a million nearly equal numbers. A single running float32 sum would have an error of 1 %. */
function longSums(): Trial[] {
  const x = Float64Array.from({ length: 1 << 20 }, (_, i) => Math.fround(0.1 + (i % 7) / 1000));
  return (['sum', 'sumSquares'] as const).map((op) => ({
    name: op,
    arrays: { x, y: draw.nan(1) },
    call: (kernels, blocks) => kernels.reduce(op, blocks.x, blocks.y, 1),
    tolerance: relative(1e-5),
  }));
}

function accumulateTrials(): Trial[] {
  return SIZES.flatMap((size) =>
    [1, -0.5, 0].map((scale) => ({
      name: `${size} times ${scale}`,
      arrays: { y: draw.normal(size, 'sum'), x: draw.normal(size, 'part') },
      call: (kernels, { x, y }) => kernels.accumulate(y, x, scale),
    })),
  );
}

function softmaxTrials(): Trial[] {
  // biome-ignore format: a list
  const shapes = [[1, 1], [3, 1], [1, 17], [5, 3], [3, 33], [7, 130], [0, 5], [3, 0]] as const;
  const rows: Record<string, number[]> = {
    'huge values': [1e30, -1e30, 9.9e29, 3e38, 0],
    'large equal values': new Array<number>(19).fill(1e4),
    'far apart': [-200, 0, -100, -30, 88],
    'minus infinity': [-inf, 1, 2, -inf, 0.5],
    'all minus infinity': [-inf, -inf, -inf],
    infinity: [1, inf, 2],
    NaN: [1, 2, nan, ...new Array<number>(20).fill(0)],
  };
  return [false, true].flatMap((log): Trial[] => [
    ...shapes.map(([count, n]): Trial => ({
      name: `${log ? 'log ' : ''}[${count}, ${n}]`,
      arrays: {
        x: draw.normal(count * n, 'softmax').map((x) => Math.fround(3 * x)),
        y: draw.nan(count * n),
      },
      call: (kernels, { x, y }) => kernels.softmax(x, y, n, log),
    })),
    ...Object.entries(rows).map(([name, row]): Trial => ({
      name: `${log ? 'log of ' : ''}${name}, next to an ordinary row`,
      arrays: {
        x: Float64Array.from([...row, ...row.map((_, i) => i / 4)], Math.fround),
        y: draw.nan(2 * row.length),
      },
      call: (kernels, { x, y }) => kernels.softmax(x, y, row.length, log),
    })),
    {
      name: `${log ? 'log ' : ''}in place`,
      arrays: { x: draw.normal(3 * 19, 'softmax') },
      call: (kernels, { x }) => kernels.softmax(x, x, 19, log),
    },
  ]); // biome-ignore format: a list
}

/** Row width and row indices of table lookups; the table has five rows. */
// biome-ignore format: a list
const LOOKUPS = [[1, [0]], [17, [3, 0, 3, 3, 4]], [33, [4, 4, 4, 1]], [3, []], [16, [2, 1, 0]]] as const;

function gatherTrials(): Trial[] {
  return LOOKUPS.map(([width, ids]) => ({
    name: `${ids.length} rows of ${width}`,
    arrays: {
      table: draw.normal(5 * width, 'table'),
      ids: Float64Array.from(ids),
      y: draw.nan(ids.length * width),
    },
    call: (kernels, blocks) => kernels.gather(blocks.table, blocks.ids, blocks.y, width),
    tolerance: 'exact',
  }));
}

/** Returns trials with rows of small integers, many of them equal; in half the trials, a few elements are NaN or infinite. */
function topKTrials(): Trial[] {
  // biome-ignore format: a list
  const sizes = [[1, 1, 1], [3, 17, 5], [2, 64, 64], [4, 200, 3], [3, 1000, 12], [200, 9001, 7]] as const;
  return sizes.flatMap(([rows, n, k]) =>
    [false, true].map((special): Trial => {
      const x = draw.integers(rows * n, 'top');
      if (special) {
        for (const [i, value] of [nan, inf, -inf, nan, inf].entries()) x[(i * 131) % x.length] = value;
      }
      return {
        name: `${k} of [${rows}, ${n}]${special ? ' with NaN and infinities' : ''}`,
        arrays: { x, values: draw.nan(rows * k), indices: draw.nan(rows * k) },
        call: (kernels, blocks) => kernels.topK(blocks.x, blocks.values, blocks.indices, n),
        tolerance: 'exact',
      };
    }),
  );
}

function scatterTrials(): Trial[] {
  return LOOKUPS.map(([width, ids]) => ({
    name: `${ids.length} rows of ${width}`,
    arrays: {
      table: draw.integers(5 * width, 'table'),
      ids: Float64Array.from(ids),
      g: draw.integers(ids.length * width, 'rows'),
    },
    call: (kernels, blocks) => kernels.scatterAdd(blocks.table, blocks.ids, blocks.g, width),
    tolerance: 'exact',
  }));
}

const KEYS = [[0, 0], [0x12345678, 0x9abcdef0], [0xffffffff, 1]] as const; // biome-ignore format: a list
/** Counters: the first ones, two whose low 32 bits overflow within a call, and one above 32 bits. */
const COUNTERS = [0, 1, 2 ** 32 - 3, 2 ** 32 - 40, 2 ** 40 + 7] as const;

function randomTrials(
  callFor: (state: { key: readonly [number, number]; counter: number }) => Trial['call'],
): Trial[] {
  return KEYS.flatMap((key) =>
    COUNTERS.flatMap((counter) =>
      [0, 1, 2, 17, 64, 131].map((size) => ({
        name: `${size} numbers, key ${key[0]},${key[1]}, counter ${counter}`,
        arrays: { y: draw.nan(size) },
        call: callFor({ key, counter }),
      })),
    ),
  );
}

function maskTrials(): Trial[] {
  return [1, 0.75, 0.1, 2 ** -24, 0.30000001192092896].flatMap((keep) =>
    randomTrials(
      ({ key, counter }) =>
        (kernels, { y }) =>
          kernels.randomMask(key, counter, y, { keep, scale: Math.fround(1 / keep) }),
    ),
  );
}

/** The cases of each kernel. The type requires cases for every kernel of the interface. */
const cases: { readonly [K in KernelName]: readonly ContractCase[] } = {
  fill: [differentialCase('fill', 'sizes', fillTrials, 'exact')],
  copy: [differentialCase('copy', 'strides', copyTrials, 'exact')],
  unary: UNARY.map((op) => differentialCase('unary', op, () => unaryTrials(op))),
  binary: BINARY.map((op) => differentialCase('binary', op, () => binaryTrials(op))),
  reduce: [
    ...REDUCE.map((op) => differentialCase('reduce', op, () => reduceTrials(op))),
    differentialCase('reduce', 'long sums', longSums),
  ],
  accumulate: [differentialCase('accumulate', 'sizes', accumulateTrials)],
  gemm: gemmCases(),
  softmax: [differentialCase('softmax', 'rows', softmaxTrials)],
  gather: [differentialCase('gather', 'rows', gatherTrials)],
  topK: [differentialCase('topK', 'rows, ties and NaN', topKTrials)],
  scatterAdd: [differentialCase('scatterAdd', 'rows, including repeated ones', scatterTrials)],
  randomUniform: [
    differentialCase(
      'randomUniform',
      'the same numbers on every backend',
      () =>
        randomTrials(
          ({ key, counter }) =>
            (kernels, { y }) =>
              kernels.randomUniform(key, counter, y),
        ),
      'exact',
    ),
  ],
  randomMask: [differentialCase('randomMask', 'the same numbers on every backend', maskTrials, 'exact')],
  ...ctcCases,
  ...optimizerCases,
  ...recurrentKernelCases,
  ...scanCases,
  ...cellCases,
  ...crfKernelCases,
};

export const kernelCases = (): ContractCase[] => Object.values(cases).flat();
