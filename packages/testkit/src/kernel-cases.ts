// Test cases for every build of the kernels, native or WebAssembly, in Node and in the browser. They compare each kernel
// with plain JavaScript in double precision, and results of different numbers of threads with each other.
import {
  BinaryOp,
  Cell,
  callAdam,
  callBinary,
  callGather,
  callGemm,
  callRandomMask,
  callRandomUniform,
  callReduce,
  callScatterAdd,
  callSoftmax,
  type Gemm,
  type KernelModule,
  ReduceOp,
  UnaryOp,
  WeightFormat,
} from '@unroll/kernels';
import { Arena, expectClose, expectSame, someFloats } from './arena.js';
import { lstmCases } from './kernel-cases-lstm.js';
import { threadCases } from './kernel-cases-threads.js';
import { KNOWN_ANSWERS, randomWords, threefry } from './threefry.js';

export interface KernelCase {
  name: string;
  /** Throws if a kernel returns a wrong result. */
  run(module: KernelModule): void | Promise<void>;
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** The error function, from its series (small x) or its continued fraction (large x). */
const erf = (x: number): number => {
  const a = Math.abs(x);
  if (a < 2.5) {
    let term = a;
    let sum = a;
    for (let n = 1; n < 60; n++) {
      term *= (-a * a) / n;
      sum += term / (2 * n + 1);
    }
    return (Math.sign(x) * 2 * sum) / Math.sqrt(Math.PI);
  }
  let fraction = 0;
  for (let n = 60; n > 0; n--) fraction = n / 2 / (a + fraction);
  return Math.sign(x) * (1 - Math.exp(-a * a) / ((a + fraction) * Math.sqrt(Math.PI)));
};

const UNARY: Record<keyof typeof UnaryOp, (x: number) => number> = {
  neg: (x) => -x,
  abs: Math.abs,
  sign: Math.sign,
  square: (x) => x * x,
  sqrt: Math.sqrt,
  reciprocal: (x) => 1 / x,
  exp: Math.exp,
  log: Math.log,
  tanh: Math.tanh,
  sigmoid,
  hardSigmoid: (x) => Math.min(1, Math.max(0, x / 6 + 0.5)),
  relu: (x) => Math.max(0, x),
  softplus: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
  floor: Math.floor,
  log1p: Math.log1p,
  erf,
  isFinite: (x) => (Number.isFinite(x) ? 1 : 0),
};

const BINARY: Record<keyof typeof BinaryOp, (a: number, b: number) => number> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  max: Math.max,
  min: Math.min,
  pow: (a, b) => a ** b,
  eq: (a, b) => (a === b ? 1 : 0),
  gt: (a, b) => (a > b ? 1 : 0),
  ge: (a, b) => (a >= b ? 1 : 0),
  tanhGrad: (y, g) => g * (1 - y * y),
  sigmoidGrad: (y, g) => g * y * (1 - y),
  hardSigmoidGrad: (y, g) => (y > 0 && y < 1 ? g / 6 : 0),
  reluGrad: (y, g) => (y > 0 ? g : 0),
};

const POSITIVE_ONLY = new Set(['sqrt', 'log', 'log1p']);

const unaryCases: KernelCase[] = Object.entries(UNARY).map(([name, expected]) => ({
  name: `unary ${name}`,
  run: (module) => {
    const arena = new Arena(module);
    const edges = [0, 0.5, 1, 5, 20, 80, 1e-6, ...(POSITIVE_ONLY.has(name) ? [] : [-0.5, -1, -5, -20, -80])];
    const scale = POSITIVE_ONLY.has(name) ? (v: number) => Math.abs(v) * 9 : (v: number) => v * 9;
    const x = Float32Array.from([...edges, ...[...someFloats(91)].map(scale)]);
    const p = arena.floats(x);
    const y = arena.empty(x.length + 1);
    module.kernels.unary(UnaryOp[name as keyof typeof UnaryOp], p, y, x.length);
    const got = arena.read(y, x.length + 1);
    expectClose(got.subarray(0, -1), Float32Array.from(x, expected), 2e-6, name);
    if (got[x.length] !== -12345.5) throw new Error(`unary ${name} wrote past the end of its output`);
  },
}));

const binaryCases: KernelCase[] = Object.entries(BINARY).map(([name, expected]) => ({
  name: `binary ${name}`,
  run: (module) => {
    const arena = new Arena(module);
    const [rows, columns] = [5, 23];
    const isGrad = name.endsWith('Grad');
    const base = name === 'pow' || isGrad ? (v: number) => Math.abs(v) : (v: number) => Math.round(v * 4) / 2;
    const a = someFloats(rows * columns, 2).map(base);
    const b = someFloats(columns, 3).map((v) => Math.round(v * 4) / 2 || 0.5);
    const y = arena.empty(rows * columns);
    // b is broadcast over the rows: its stride there is 0.
    const dims = arena.ints([rows, columns, columns, 1, 0, 1]);
    const op = BinaryOp[name as keyof typeof BinaryOp];
    callBinary(module, { op, a: arena.floats(a), b: arena.floats(b), y, rank: 2, dims });
    const expectedValues = a.map((value, i) => expected(value, b[i % columns]));
    expectClose(arena.read(y, rows * columns), expectedValues, 2e-6, name);
  },
}));

/** Computes A·B in double precision. tA and tB: 1 if A or B is stored transposed, else 0. */
const gemmReference = (
  m: number,
  n: number,
  k: number,
  a: Float32Array,
  b: Float32Array,
  tA: number,
  tB: number,
) => {
  const c = new Float32Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let p = 0; p < k; p++) sum += a[tA ? p * m + i : i * k + p] * b[tB ? j * k + p : p * n + j];
      c[i * n + j] = sum;
    }
  }
  return c;
};

const GEMM_SHAPES = [
  [1, 1, 1],
  [7, 5, 3],
  [17, 33, 65],
  [64, 48, 100],
  [1, 130, 70],
  [90, 1, 40],
] as const;

const gemmCases: KernelCase[] = [0, 1, 2, 3].map((variant) => ({
  name: `gemm ${variant & 1 ? 'transposed ' : ''}A, ${variant & 2 ? 'transposed ' : ''}B`,
  run: (module) => {
    const [tA, tB] = [variant & 1, variant >> 1];
    for (const [m, n, k] of GEMM_SHAPES) {
      const shape = `m ${m}, n ${n}, k ${k}`;
      const arena = new Arena(module);
      const a = someFloats(m * k, m);
      const b = someFloats(k * n, n);
      const c = someFloats(m * n, k);
      const pointer = arena.floats(c);
      const call: Gemm = {
        ...{ transA: tA, transB: tB, m, n, k, A: arena.floats(a), lda: tA ? m : k },
        ...{ B: arena.floats(b), ldb: tB ? k : n, C: pointer, ldc: n, add: 0 },
        ...{ batch: 1, strideA: 0, strideB: 0, strideC: 0 },
      };
      const product = gemmReference(m, n, k, a, b, tA, tB);
      callGemm(module, { ...call, add: 1 });
      expectClose(
        arena.read(pointer, m * n),
        product.map((v, i) => v + c[i]),
        1e-5,
        `C += A·B, ${shape}`,
      );
      callGemm(module, call);
      expectClose(arena.read(pointer, m * n), product, 1e-5, `C = A·B, ${shape}`);
      const bias = someFloats(n, 9);
      callGemm(module, { ...call, bias: arena.floats(bias) });
      expectClose(
        arena.read(pointer, m * n),
        product.map((v, i) => v + bias[i % n]),
        1e-5,
        `C = A·B + bias, ${shape}`,
      );
    }
  },
}));

const otherCases: KernelCase[] = [
  {
    name: 'threefry in plain JavaScript reproduces the test vectors of Random123',
    run: () => {
      for (const [counter, key, expectedValues] of KNOWN_ANSWERS) {
        const got = threefry(key, counter);
        if (got.join() !== expectedValues.join())
          throw new Error(`threefry(key ${key}, counter ${counter}) must be ${expectedValues}, got ${got}`);
      }
    },
  },
  {
    name: 'random_uniform and random_mask use the words of threefry',
    run: (module) => {
      const arena = new Arena(module);
      const n = 1001;
      // The low word of this counter overflows within the first 1001 numbers.
      const stream = randomWords([0x12345678, 0x9abcdef0], [0xfffffff0, 7], n).map((word) => word >>> 8);
      const y = arena.empty(n);
      const call = { key0: 0x12345678, key1: 0x9abcdef0, counter0: 0xfffffff0, counter1: 7, y, n };
      callRandomUniform(module, call);
      expectSame(
        arena.read(y, n),
        Float32Array.from(stream, (word) => word * 2 ** -24),
        'uniform',
      );
      callRandomMask(module, { randomUniform: call, keep: 0.75, scale: 4 / 3 });
      const mask = Float32Array.from(stream, (word) => (word < 0.75 * 2 ** 24 ? 4 / 3 : 0));
      expectSame(arena.read(y, n), mask, 'mask');
    },
  },
  {
    name: 'copy_strided transposes, reverses and broadcasts',
    run: (module) => {
      const arena = new Arena(module);
      const [rows, columns] = [9, 13];
      const x = someFloats(rows * columns);
      const p = arena.floats(x);
      const y = arena.empty(rows * columns);
      module.kernels.copy_strided(p, y, 2, arena.ints([columns, rows, 1, columns, rows, 1]));
      const transposed = x.map((_, i) => x[(i % rows) * columns + Math.floor(i / rows)]);
      expectSame(arena.read(y, rows * columns), transposed, 'transpose');
      const last = p + 4 * (rows - 1) * columns;
      module.kernels.copy_strided(last, y, 2, arena.ints([rows, columns, -columns, 1, columns, 1]));
      const reversed = x.map((_, i) => x[(rows - 1 - Math.floor(i / columns)) * columns + (i % columns)]);
      expectSame(arena.read(y, rows * columns), reversed, 'reversed rows');
      module.kernels.copy_strided(p, y, 2, arena.ints([rows, columns, 0, 1, columns, 1]));
      expectSame(
        arena.read(y, rows * columns),
        x.map((_, i) => x[i % columns]),
        'broadcast',
      );
    },
  },
  {
    name: 'reduce matches plain JavaScript',
    run: (module) => {
      const [outer, n, inner] = [3, 37, 5];
      const x = someFloats(outer * n * inner);
      const references: Record<keyof typeof ReduceOp, (values: number[]) => number> = {
        sum: (values) => values.reduce((a, b) => a + b),
        max: (values) => Math.max(...values),
        min: (values) => Math.min(...values),
        sumSquares: (values) => values.reduce((a, b) => a + b * b, 0),
      };
      for (const [name, expected] of Object.entries(references)) {
        const arena = new Arena(module);
        const y = arena.empty(outer * inner);
        const op = ReduceOp[name as keyof typeof ReduceOp];
        callReduce(module, { op, x: arena.floats(x), y, outer, n, inner });
        const expectedValues = Float32Array.from({ length: outer * inner }, (_, index) => {
          const start = Math.floor(index / inner) * n * inner + (index % inner);
          return expected(Array.from({ length: n }, (_, i) => x[start + i * inner]));
        });
        expectClose(arena.read(y, outer * inner), expectedValues, 2e-6, name);
      }
    },
  },
  {
    name: 'softmax, gather, scatter_add, accumulate and fill match plain JavaScript',
    run: (module) => {
      const arena = new Arena(module);
      const [rows, n] = [3, 19];
      const x = someFloats(rows * n).map((v) => v * 30);
      const p = arena.floats(x);
      const y = arena.empty(rows * n);
      callSoftmax(module, { x: p, y, rows, n, log: 0 });
      const expectedValues = x.map((v, i) => {
        const row = x.subarray(i - (i % n), i - (i % n) + n);
        return Math.exp(v) / row.reduce((sum, other) => sum + Math.exp(other), 0);
      });
      expectClose(arena.read(y, rows * n), expectedValues, 2e-6, 'softmax');
      const ids = arena.floats([2, 0, 2, 1]);
      const g = arena.empty(4 * n);
      callGather(module, { table: p, ids, y: g, count: 4, width: n });
      const gathered = Float32Array.from(
        { length: 4 * n },
        (_, i) => x[[2, 0, 2, 1][Math.floor(i / n)] * n + (i % n)],
      );
      expectSame(arena.read(g, 4 * n), gathered, 'gather');
      module.kernels.fill(y, rows * n, 0.5);
      callScatterAdd(module, { table: y, ids, g, count: 4, width: n });
      const scattered = x.map((v, i) => 0.5 + v * (i >= 2 * n ? 2 : 1));
      expectClose(arena.read(y, rows * n), scattered, 1e-6, 'scatter_add');
      module.kernels.accumulate(y, p, rows * n, -2);
      expectClose(
        arena.read(y, rows * n),
        scattered.map((v, i) => v - 2 * x[i]),
        1e-5,
        'accumulate',
      );
    },
  },
  {
    name: 'one update of adam matches plain JavaScript',
    run: (module) => {
      const arena = new Arena(module);
      const n = 45;
      const [w, g, m, v] = [1, 2, 3, 4].map((seed) => someFloats(n, seed)) as [
        Float32Array,
        Float32Array,
        Float32Array,
        Float32Array,
      ];
      v.forEach((value, i) => {
        v[i] = value * value;
      });
      const [pw, pm, pv] = [arena.floats(w), arena.floats(m), arena.floats(v)];
      const update = { w: pw, g: arena.floats(g), n, decay: 0.001, gScale: 0.5 };
      callAdam(module, {
        moments: { update, m: pm, v: pv, beta1: 0.9, beta2: 0.999, epsilon: 1e-7, vScale: 1.5 },
        rate: 0.01,
      });
      const half = g.map((value) => value * 0.5);
      // The kernel receives beta1 and beta2 as float32. Without the same rounding here, small values of v differ visibly.
      const [beta1, beta2] = [Math.fround(0.9), Math.fround(0.999)];
      const newM = m.map((value, i) => beta1 * value + (1 - beta1) * half[i]);
      const newV = v.map((value, i) => beta2 * value + (1 - beta2) * half[i] ** 2);
      const newW = w.map((value, i) => value * 0.999 - (0.01 * newM[i]) / (Math.sqrt(newV[i]) * 1.5 + 1e-7));
      expectClose(arena.read(pm, n), newM, 1e-6, 'm');
      expectClose(arena.read(pv, n), newV, 1e-6, 'v');
      expectClose(arena.read(pw, n), newW, 1e-6, 'w');
    },
  },
];

/** The packed sizes must not overflow beyond 2^31 floats, because the caller compares them with the free memory. */
const sizeCases: KernelCase[] = Object.entries(Cell).map(([name, cell]) => ({
  name: `packed sizes do not overflow for weights that no memory can hold, ${name}`,
  run: ({ kernels }) => {
    const [I, H] = [2 ** 30, 1];
    for (const format of Object.values(WeightFormat)) {
      const size = kernels.packed_size(cell, I, H, format);
      if (!(size > I / 2 + H)) throw new Error(`packed_size must be more than ${I / 2 + H}, got ${size}`);
    }
    const units = 2 ** 16;
    const size = kernels.packed_backward_size(cell, units);
    if (!(size >= units * units))
      throw new Error(`packed_backward_size must be at least ${units ** 2}, got ${size}`);
  },
}));

export const kernelCases: KernelCase[] = [
  ...unaryCases,
  ...binaryCases,
  ...gemmCases,
  ...otherCases,
  ...lstmCases,
  ...sizeCases,
  ...threadCases,
];
