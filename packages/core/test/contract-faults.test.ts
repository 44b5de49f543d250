/**
 * Tests that the contract suite rejects wrong backends. Each fault below is added to a kernel of the reference backend, and at
 * least one contract case of that kernel must fail. Detects a contract that accepts anything.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Backend, referenceBackend } from '@unroll/core';
import type { Block, KernelName, Kernels } from '@unroll/core/internal';
import { contractCases } from '@unroll/testkit';

const base = referenceBackend();
const referenceKernels = base.kernels;
const valuesOf = (block: Block): Float32Array => (block as Block & { values: Float32Array }).values;

/** Returns a block that is one element longer, for a kernel that writes past the end. */
function longer(block: Block): Block {
  const { buffer, byteOffset, length } = valuesOf(block);
  const values = new Float32Array(buffer, byteOffset, length + 1);
  return { length: length + 1, values } as Block;
}

/** The replacement of a kernel, by the name of the kernel. */
type Fault = { [K in KernelName]?: (...call: Parameters<Kernels[K]>) => void };

const FAULTS: Record<string, Fault> = {
  'fill writes one element too many': { fill: (y, value) => referenceKernels.fill(longer(y), value) },
  'copy ignores the offset': {
    copy: (call) => referenceKernels.copy({ ...call, offsetX: 0 }),
  },
  'copy ignores the sign of strides': {
    copy: (call) => referenceKernels.copy({ ...call, stridesX: call.stridesX?.map(Math.abs) }),
  },
  'relu turns NaN into 0': {
    unary: (op, x, y) => {
      referenceKernels.unary(op, x, y);
      if (op === 'relu') valuesOf(y).forEach((v, i, all) => void (all[i] = Number.isNaN(v) ? 0 : v));
    },
  },
  'tanh is 1e-4 off': {
    unary: (op, x, y) => {
      referenceKernels.unary(op, x, y);
      if (op === 'tanh') referenceKernels.accumulate(y, y, 1e-4);
    },
  },
  'maximum ignores a NaN in the second operand': {
    binary: (call) => {
      referenceKernels.binary(call);
      const { op, a, stridesA, stridesB, y } = call;
      if (op !== 'max' || stridesA || stridesB) return;
      valuesOf(y).forEach((v, i, all) => {
        if (Number.isNaN(v) && !Number.isNaN(valuesOf(a)[i]!)) all[i] = valuesOf(a)[i]!;
      });
    },
  },
  'the strides of a broadcast operand are ignored': {
    binary: (call) => referenceKernels.binary({ ...call, stridesB: call.stridesA }),
  },
  'an empty sum is not written': {
    reduce: (op, x, y, inner) => {
      if (x.length > 0) referenceKernels.reduce(op, x, y, inner);
    },
  },
  'a long sum is accumulated in float32 term by term': {
    reduce: (op, x, y, inner) => {
      referenceKernels.reduce(op, x, y, inner);
      if (op !== 'sum' || y.length !== 1) return;
      valuesOf(y)[0] = valuesOf(x).reduce((total, v) => Math.fround(total + v), 0);
    },
  },
  'a matrix product with an inner size of 0 is not written': {
    gemm: (a, b, y, shape) => {
      if (shape.k > 0) referenceKernels.gemm(a, b, y, shape);
    },
  },
  'a matrix product is added to the previous contents of the output': {
    gemm: (a, b, y, shape) => referenceKernels.gemm(a, b, y, { ...shape, add: true }),
  },
  'the bias is missing for small numbers of rows': {
    gemm: (a, b, y, shape) => referenceKernels.gemm(a, b, y, shape.m < 6 ? { ...shape, bias: null } : shape),
  },
  'all products of a batch use the same second matrix': {
    gemm: (a, b, y, shape) => referenceKernels.gemm(a, b, y, { ...shape, strideB: 0 }),
  },
  'softmax overflows': {
    softmax: (x, y, n, log) => {
      referenceKernels.softmax(x, y, n, log);
      if (valuesOf(x).some((v) => v > 88)) valuesOf(y).fill(Number.NaN);
    },
  },
  'scatterAdd adds only the last gradient of a repeated row': {
    scatterAdd: (table, ids, g, width) => {
      const before = valuesOf(table).slice();
      valuesOf(ids).forEach((id, i) => {
        for (let j = 0; j < width; j++) {
          valuesOf(table)[id * width + j] = before[id * width + j]! + valuesOf(g)[i * width + j]!;
        }
      });
    },
  },
  'the random counter is truncated to 32 bits': {
    randomUniform: (key, counter, y) => referenceKernels.randomUniform(key, counter % 2 ** 32, y),
  },
  'the keep probability of a dropout mask is too low by 1/512': {
    randomMask: (key, counter, y, mask) =>
      referenceKernels.randomMask(key, counter, y, { ...mask, keep: mask.keep - 2 ** -9 }),
  },
  'CTC ignores the lengths': {
    ctc: (call) => {
      const lengths = { length: call.B, values: new Float32Array(call.B).fill(call.T) } as Block;
      referenceKernels.ctc({ ...call, lengths });
    },
  },
  'CTC skips the blank between equal labels': {
    ctc: (call) => {
      const targets = valuesOf(call.targets).map((label, i, all) =>
        label === all[i - 1] ? label - 1 || 2 : label,
      );
      referenceKernels.ctc({ ...call, targets: { length: targets.length, values: targets } as Block });
    },
  },
  'CTC gives no gradient to the blank': {
    ctc: (call) => {
      referenceKernels.ctc(call);
      if (call.dx) valuesOf(call.dx).forEach((_, i, all) => void (i % call.C === call.blank && (all[i] = 0)));
    },
  },
  'CTC with extreme logits is NaN': {
    ctc: (call) => {
      referenceKernels.ctc(call);
      if (valuesOf(call.x).some((x) => Math.abs(x) > 1000)) valuesOf(call.losses).fill(Number.NaN);
    },
  },
  'Adam does not scale the gradient': { adam: (call) => referenceKernels.adam({ ...call, gScale: 1 }) },
  'momentum is not decayed': { sgd: (call) => referenceKernels.sgd({ ...call, momentum: 1 }) },
  'an LSTM ignores the output mask, which sets the outputs of some steps to 0': {
    lstmForward: (call) => referenceKernels.lstmForward({ ...call, outputMask: null }),
  },
  'an LSTM without a bias adds a bias': {
    lstmForward: (call) => {
      referenceKernels.lstmForward(call);
      if (call.b === null) valuesOf(call.xh)[call.I + call.B * (call.I + call.H)]! += 1e-3;
    },
  },
  'LSTM gradients ignore recurrent dropout': {
    lstmBackward: (call) => referenceKernels.lstmBackward({ ...call, rmask: null }),
  },
  'the LSTM gradients of each step are not written': {
    lstmBackward: (call) => referenceKernels.lstmBackward({ ...call, dhAll: null }),
  },
  'a GRU ignores updateGateOnCandidate': {
    gruForward: (call) => referenceKernels.gruForward({ ...call, updateGateOnCandidate: false }),
  },
  'a plain RNN updates its state at masked steps': {
    rnnForward: (call) => referenceKernels.rnnForward({ ...call, mask: null }),
  },
};

describe('the contract finds this fault:', () => {
  for (const [name, fault] of Object.entries(FAULTS)) {
    test(name, () => {
      const [kernel] = Object.keys(fault) as [KernelName];
      const faultyBackend: Backend = { ...base, kernels: { ...referenceKernels, ...fault } as Kernels };
      const cases = contractCases().filter((contractCase) =>
        contractCase.name.startsWith(`kernel ${kernel}:`),
      );
      assert.ok(cases.length > 0);
      assert.ok(
        cases.some((contractCase) => {
          try {
            contractCase.run(faultyBackend);
            return false;
          } catch (error) {
            // The contract's own messages. Other errors, such as a TypeError, do not count.
            return /problem|outside/.test((error as Error).message);
          }
        }),
        'every case passed',
      );
    });
  }
});
