/**
 * Compares the loss `crf` and the decoders with pytorch-crf 0.7.2: every reduction, the gradients of all scores, masks, and the
 * best tags. pytorch-crf computed the reference values in float64; see tools/goldens/training_crf.py for the tolerances.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { mul, type Tensor, tensor, valueAndGrad, viterbi } from '@unroll/core';
import { setCrfOutput } from '@unroll/core/internal';
import { losses, metrics, type Reduction } from '@unroll/train';
import { type Packed, toTensor, toTensorOrNull, trainingGoldens, unpack } from './goldens.js';

type Part = 'emissions' | 'transitions' | 'start' | 'end';
interface Case {
  name: string;
  inputs: Record<Part, Packed>;
  tags: Packed;
  mask?: Packed;
  losses: { none: Packed; sum: number; mean: number; token_mean: number };
  gradients: Record<Part, Packed>;
  decoded: number[][];
}

const { cases } = trainingGoldens<{ cases: Case[] }>('crf.json');

function close(got: ArrayLike<number>, want: ArrayLike<number>, allowed: number, what: string): void {
  assert.equal(got.length, want.length, what);
  const largest = Math.max(1e-30, ...Array.from(want, Math.abs));
  for (let i = 0; i < want.length; i++)
    assert.ok(Math.abs(got[i] - want[i]) <= allowed * largest, `${what} ${i}: ${got[i]} is not ${want[i]}`);
}

describe('the crf layer against pytorch-crf', () => {
  for (const golden of cases) {
    const tensors = () => {
      const [emissions, transitions, start, end] = (
        ['emissions', 'transitions', 'start', 'end'] as const
      ).map((part) => toTensor(golden.inputs[part]));
      return { emissions, scores: { transitions, start, end } };
    };
    const [tags, mask] = [toTensor(golden.tags), toTensorOrNull(golden.mask)];
    /** Returns the emissions as the output of a crf layer with these scores. */
    const crfOutput = (emissions: Tensor, scores: ReturnType<typeof tensors>['scores']): Tensor => {
      const output = mul(emissions, 1);
      setCrfOutput(output, { scores: () => scores, allowed: null });
      return output;
    };

    test(`${golden.name}: losses and gradients`, () => {
      const { emissions, scores } = tensors();
      const lossOf = (reduction: Reduction) =>
        losses.crf({ reduction }).compute(crfOutput(emissions, scores), tags, mask).dataSync();
      close(lossOf('none'), unpack(golden.losses.none).values, 1e-5, 'none');
      close(lossOf('sum'), [golden.losses.sum], 1e-5, 'sum');
      close(lossOf('sumOverBatchSize'), [golden.losses.mean], 1e-5, 'mean');
      close(lossOf('meanWithSampleWeight'), [golden.losses.mean], 1e-5, 'mean with sample weights');
      const steps = golden.decoded.flat().length;
      close([lossOf('sum')[0] / steps], [golden.losses.token_mean], 1e-5, 'token_mean');

      const parts = [emissions, scores.transitions, scores.start, scores.end];
      const { grads } = valueAndGrad(
        () => losses.crf().compute(crfOutput(emissions, scores), tags, mask),
        parts,
      );
      (['emissions', 'transitions', 'start', 'end'] as const).forEach((part, i) => {
        close(grads[i].dataSync(), unpack(golden.gradients[part]).values, 1e-4, part);
      });
    });

    test(`${golden.name}: best tags`, () => {
      const { emissions, scores } = tensors();
      const [B, T, K] = emissions.shape;
      const values = emissions.dataSync();
      const scoreValues = {
        transitions: scores.transitions.dataSync(),
        start: scores.start.dataSync(),
        end: scores.end.dataSync(),
      };
      const decoded = golden.decoded.map(
        ({ length }, b) =>
          viterbi({ emissions: values.slice(b * T * K, (b * T + length) * K), ...scoreValues }).tags,
      );
      assert.deepEqual(decoded, golden.decoded);

      const padded = golden.decoded.map((row) => [...row, ...new Array<number>(T - row.length).fill(0)]);
      const accuracy = metrics.crfAccuracy();
      accuracy.update(crfOutput(emissions, scores), tensor(padded, [B, T]), mask);
      assert.equal(accuracy.result(), 1);
    });
  }
});
