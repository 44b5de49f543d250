/**
 * Cases for the matrix product. Most have small integers: sums of their products are exact in any order, so the results must be
 * bit-identical.
 */
import type { GemmShape } from '@unroll/core/internal';
import type { ContractCase } from './case.js';
import { differentialCase, draw, type Trial } from './differential.js';

interface MatrixLayout {
  rows: number;
  columns: number;
  /** Distance between two rows, in elements. */
  stride: number;
  /** Number of matrices. */
  count: number;
  /** Distance between two matrices, in elements. */
  distance: number;
}

/** Returns an array of matrices in the given layout. The gaps between rows and matrices contain NaN. */
function matrices(
  fill: (count: number, name: string) => Float64Array,
  name: string,
  { rows, columns, stride, count, distance }: MatrixLayout,
): Float64Array {
  const matrixLength = rows === 0 || columns === 0 ? 0 : (rows - 1) * stride + columns;
  const out = draw.nan((count - 1) * distance + matrixLength);
  const source = fill(rows * columns * count, name);
  for (let n = 0; n < count; n++) {
    for (let r = 0; r < rows; r++) {
      const row = source.subarray((n * rows + r) * columns, (n * rows + r + 1) * columns);
      if (columns > 0) out.set(row, n * distance + r * stride);
    }
  }
  return out;
}

/** A matrix product to test. */
interface Product extends GemmShape {
  /** Number of unused elements after each row, and after each matrix of a batch. Default 0. */
  gap?: number;
  /** Whether a bias is added to every row. */
  biased?: boolean;
  /** Whether all products of the batch have the same matrix A. */
  shareA?: boolean;
  /** Whether all products of the batch have the same matrix B. */
  shareB?: boolean;
}

/** Returns the trial of a product. @param fill draws the elements */
function trial(product: Product, fill = draw.integers): Trial {
  const {
    m,
    n,
    k,
    transA = false,
    transB = false,
    add = false,
    batch,
    gap = 0,
    shareA,
    shareB,
    biased,
  } = product;
  const [aRows, aColumns] = transA ? [k, m] : [m, k];
  const [bRows, bColumns] = transB ? [n, k] : [k, n];
  const [lda, ldb, ldc] = [aColumns + gap, bColumns + gap, n + gap];
  const count = batch ?? 1;
  const layout = (rows: number, columns: number, stride: number, shared = false): MatrixLayout => {
    return { rows, columns, stride, count: shared ? 1 : count, distance: rows * stride + gap };
  };
  const [a, b, c] = [
    layout(aRows, aColumns, lda, shareA),
    layout(bRows, bColumns, ldb, shareB),
    layout(m, n, ldc),
  ];
  const shape: GemmShape = {
    ...{ m, n, k, transA, transB, add },
    ...(gap ? { lda, ldb, ldc } : {}),
    ...(batch === undefined
      ? {}
      : { batch, strideA: shareA ? 0 : a.distance, strideB: shareB ? 0 : b.distance, strideC: c.distance }),
  };
  return {
    name: [
      `${m}x${k}x${n}`,
      transA && 'aᵀ',
      transB && 'bᵀ',
      add && 'accumulated',
      biased && 'with a bias',
      gap && 'with gaps',
      batch !== undefined && `in a batch of ${batch}`,
    ]
      .filter(Boolean)
      .join(' '),
    arrays: {
      a: matrices(fill, 'a', a),
      b: matrices(fill, 'b', b),
      y: add ? matrices(fill, 'c', c) : draw.nan((count - 1) * c.distance + (m && n ? (m - 1) * ldc + n : 0)),
      ...(biased ? { bias: fill(n, 'bias') } : {}),
    },
    call: (kernels, blocks) =>
      kernels.gemm(blocks.a, blocks.b, blocks.y, { ...shape, bias: blocks.bias ?? null }),
  };
}

const TRANSPOSES = [
  { transA: false, transB: false },
  { transA: false, transB: true },
  { transA: true, transB: false },
  { transA: true, transB: true },
];
const EXTENTS = [1, 3, 6, 17, 33];

/** Sizes [m, n, k] near the edges of tiles, panels and blocks. */
const EDGES = [
  [12, 16, 256], [13, 48, 257], [7, 64, 31], [97, 33, 5], [96, 513, 3], [100, 8, 300], [30, 7, 515], [2, 130, 600],
  [1, 1000, 3], [1000, 1, 3], [1, 1, 1000], [4, 100, 1],
  [9, 200, 2051], [40, 50, 1030],
] as const; // biome-ignore format: a list

function exactTrials(transposes: { transA: boolean; transB: boolean }): Trial[] {
  const cube = EXTENTS.flatMap((m) => EXTENTS.flatMap((n) => EXTENTS.map((k) => ({ m, n, k }))));
  const edges = EDGES.map(([m, n, k]) => ({ m, n, k }));
  return [
    ...[...cube, ...edges].map((sizes) => trial({ ...sizes, ...transposes })),
    ...[...cube, ...edges]
      .filter((_, i) => i % 3 === 0)
      .flatMap((sizes) => [
        trial({ ...sizes, ...transposes, add: true }),
        trial({ ...sizes, ...transposes, biased: true }),
        trial({ ...sizes, ...transposes, gap: 3 }),
        trial({ ...sizes, ...transposes, gap: 5, add: true }),
        trial({ ...sizes, ...transposes, gap: 2, biased: true }),
      ]),
  ];
}

function batchTrials(): Trial[] {
  const sizes = [[3, 5, 4], [1, 17, 3], [17, 1, 33], [20, 18, 19]] as const; // biome-ignore format: a list
  const shapes = sizes.map(([m, n, k]) => ({ m, n, k }));
  return shapes.flatMap((size) =>
    TRANSPOSES.flatMap((transposes) => [
      trial({ ...size, ...transposes, batch: 3 }),
      trial({ ...size, ...transposes, batch: 2, gap: 2, add: true }),
      trial({ ...size, ...transposes, batch: 3, shareB: true }),
      trial({ ...size, ...transposes, batch: 3, shareB: true, biased: true }),
      trial({ ...size, ...transposes, batch: 3, shareA: true, gap: 1 }),
    ]),
  );
}

/** Returns trials with a size of 0. If k is 0, the product is 0. */
function emptyTrials(): Trial[] {
  return TRANSPOSES.flatMap((transposes) => [
    trial({ m: 3, n: 5, k: 0, ...transposes }),
    trial({ m: 3, n: 5, k: 0, add: true, ...transposes }),
    trial({ m: 3, n: 5, k: 0, gap: 2, ...transposes }),
    trial({ m: 3, n: 5, k: 0, biased: true, ...transposes }),
    trial({ m: 2, n: 17, k: 0, batch: 3, ...transposes }),
    trial({ m: 0, n: 5, k: 3, ...transposes }),
    trial({ m: 3, n: 0, k: 5, ...transposes }),
    trial({ m: 3, n: 5, k: 2, batch: 0, ...transposes }),
  ]);
}

/** Returns trials with enough work for several threads. */
function largeTrials(): Trial[] {
  return TRANSPOSES.flatMap((transposes) => [
    trial({ m: 130, n: 150, k: 160, ...transposes }, draw.normal),
    trial({ m: 130, n: 150, k: 600, biased: true, ...transposes }, draw.normal),
    trial({ m: 12, n: 30, k: 260, batch: 33, ...transposes }, draw.normal),
  ]);
}

export function gemmCases(): ContractCase[] {
  return [
    ...TRANSPOSES.map((transposes) => {
      const name = `${transposes.transA ? 'aᵀ' : 'a'} ${transposes.transB ? 'bᵀ' : 'b'}`;
      return differentialCase('gemm', name, () => exactTrials(transposes), 'exact');
    }),
    differentialCase('gemm', 'batches', batchTrials, 'exact'),
    differentialCase('gemm', 'sizes of 0', emptyTrials, 'exact'),
    differentialCase('gemm', 'large', largeTrials),
  ];
}
