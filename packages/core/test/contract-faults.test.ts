/**
 * The contract rejects wrong backends: each fault below is put into the reference, and the cases of that kernel
 * must find it. Rejects: a contract that passes whatever it is given.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Backend, referenceBackend } from '@unroll/core';
import type { Block, KernelName, Kernels } from '@unroll/core/internal';
import { contractCases } from '@unroll/testkit';

const base = referenceBackend();
const right = base.kernels;
const valuesOf = (block: Block): Float32Array => (block as Block & { values: Float32Array }).values;

/** A block one element longer, for a kernel that does not know where to stop. */
function longer(block: Block): Block {
  const { buffer, byteOffset, length } = valuesOf(block);
  const values = new Float32Array(buffer, byteOffset, length + 1);
  return { length: length + 1, values } as Block;
}

type Fault = { [K in KernelName]?: (...call: Parameters<Kernels[K]>) => void };

const FAULTS: Record<string, Fault> = {
  'fill writes one element too many': { fill: (y, value) => right.fill(longer(y), value) },
  'copy takes no account of the offset': {
    copy: (x, _from, sx, y, to, sy, shape) => right.copy(x, 0, sx, y, to, sy, shape),
  },
  'copy reads backwards as forwards': {
    copy: (x, from, sx, y, to, sy, shape) => right.copy(x, from, sx.map(Math.abs), y, to, sy, shape),
  },
  'relu turns NaN into 0': {
    unary: (op, x, y) => {
      right.unary(op, x, y);
      if (op === 'relu') valuesOf(y).forEach((v, i, all) => void (all[i] = Number.isNaN(v) ? 0 : v));
    },
  },
  'tanh is 1e-4 off': {
    unary: (op, x, y) => {
      right.unary(op, x, y);
      if (op === 'tanh') right.accumulate(y, y, 1e-4);
    },
  },
  'the maximum loses a NaN on the right': {
    binary: (op, a, sa, b, sb, y, shape) => {
      right.binary(op, a, sa, b, sb, y, shape);
      if (op !== 'max' || sa[0] !== 1 || sb[0] !== 1) return;
      valuesOf(y).forEach((v, i, all) => {
        if (Number.isNaN(v) && !Number.isNaN(valuesOf(a)[i]!)) all[i] = valuesOf(a)[i]!;
      });
    },
  },
  'a broadcast operand is read as if it were dense': {
    binary: (op, a, sa, b, _sb, y, shape) => right.binary(op, a, sa, b, sa, y, shape),
  },
  'a sum of nothing is left as it was': {
    reduce: (op, x, y, outer, n, inner) => {
      if (n > 0) right.reduce(op, x, y, outer, n, inner);
    },
  },
  'a long sum is rounded at every term': {
    reduce: (op, x, y, outer, n, inner) => {
      right.reduce(op, x, y, outer, n, inner);
      if (op !== 'sum' || outer * inner !== 1) return;
      valuesOf(y)[0] = valuesOf(x).reduce((total, v) => Math.fround(total + v), 0);
    },
  },
  'a product over nothing is left as it was': {
    gemm: (a, b, y, shape) => {
      if (shape.k > 0) right.gemm(a, b, y, shape);
    },
  },
  'a product is added to what was there': {
    gemm: (a, b, y, shape) => right.gemm(a, b, y, { ...shape, add: true }),
  },
  'a bias is left out where rows are few': {
    gemm: (a, b, y, shape) => right.gemm(a, b, y, shape.m < 6 ? { ...shape, bias: null } : shape),
  },
  'a batch shares its second matrix always': {
    gemm: (a, b, y, shape) => right.gemm(a, b, y, { ...shape, strideB: 0 }),
  },
  'softmax overflows': {
    softmax: (x, y, rows, n, log) => {
      right.softmax(x, y, rows, n, log);
      if (valuesOf(x).some((v) => v > 88)) valuesOf(y).fill(Number.NaN);
    },
  },
  'a repeated row counts once': {
    scatterAdd: (table, ids, g, width) => {
      const before = valuesOf(table).slice();
      valuesOf(ids).forEach((id, i) => {
        for (let j = 0; j < width; j++) {
          valuesOf(table)[id * width + j] = before[id * width + j]! + valuesOf(g)[i * width + j]!;
        }
      });
    },
  },
  'the random counter has 32 bits': {
    randomUniform: (key, counter, y) => right.randomUniform(key, counter % 2 ** 32, y),
  },
  'a dropout mask keeps too little by a hair': {
    randomMask: (key, counter, y, keep, scale) => right.randomMask(key, counter, y, keep - 2 ** -9, scale),
  },
  'Adam forgets to scale the gradient': { adam: (call) => right.adam({ ...call, gScale: 1 }) },
  'momentum is not decayed': { sgd: (call) => right.sgd({ ...call, momentum: 1 }) },
  'an LSTM emits at masked steps': {
    lstmForward: (call) => right.lstmForward({ ...call, outputMask: null }),
  },
  'an LSTM without a bias reads one': {
    lstmForward: (call) => {
      right.lstmForward(call);
      if (call.b === null) valuesOf(call.xh)[call.I + call.B * (call.I + call.H)]! += 1e-3;
    },
  },
  'LSTM gradients pass the dropout by': {
    lstmBackward: (call) => right.lstmBackward({ ...call, rmask: null }),
  },
  'LSTM gradients of every step are not given': {
    lstmBackward: (call) => right.lstmBackward({ ...call, dhAll: null }),
  },
  'the two forms of a GRU are one': {
    gruForward: (call) => right.gruForward({ ...call, updateGateOnCandidate: false }),
  },
  'a plain cell walks through masked steps': {
    rnnForward: (call) => right.rnnForward({ ...call, mask: null }),
  },
};

describe('the contract finds', () => {
  for (const [name, fault] of Object.entries(FAULTS)) {
    test(name, () => {
      const [kernel] = Object.keys(fault) as [KernelName];
      const wrong: Backend = { ...base, kernels: { ...right, ...fault } as Kernels };
      const own = contractCases().filter((each) => each.name.startsWith(`kernel ${kernel}:`));
      assert.ok(own.length > 0);
      assert.ok(
        own.some((each) => {
          try {
            each.run(wrong);
            return false;
          } catch (error) {
            return /problem|outside/.test((error as Error).message);
          }
        }),
        'every case passed',
      );
    });
  }
});
