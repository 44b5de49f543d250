/**
 * Regularisation in training: spatial, word and embedding dropout, and the penalties on activations (AR) and on their
 * changes between steps (TAR). Compares these features and weight drop on every backend with the reference backend. Detects
 * a mask that differs between steps or tokens, padding that is replaced, and a penalty on padding.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type MaskedSequence, RandomStream, scope, slice, sum, type Tensor, tensor } from '@unroll/core';
import { backendSync, inferenceContext, RowGradient, Tape } from '@unroll/core/internal';
import {
  activationRegularization,
  dropout,
  embedding,
  gru,
  type Layer,
  lstm,
  sequential,
  simpleRNN,
  spatialDropout1d,
  wordDropout,
} from '@unroll/nn';
import { mismatch, onBackend } from '@unroll/testkit';
import { testBackends } from '@unroll/testkit/node';
import { assertSame, checkGradients, maskOf, outputsAndGradients, randomTensor, run } from './helpers.js';

const float64 = backendSync('reference:float64');
const [B, T, I] = [3, 6, 4];
const x = randomTensor('x', B, T, I);
const mask = maskOf('111100', '111111', '110110');
const firstOutput = (layer: Layer, input: Tensor, options?: Parameters<typeof run>[2]): Tensor =>
  run(layer, input, options)[0]!.value;

describe('spatialDropout1d', () => {
  test('drops a feature at all steps or at none, like dropout with noiseShape [null, 1, null]', () => {
    const ones = tensor(new Float32Array(B * T * I).fill(1), [B, T, I]);
    const got = firstOutput(spatialDropout1d({ rate: 0.4 }), ones, { training: true });
    const want = firstOutput(dropout({ rate: 0.4, noiseShape: [null, 1, null] }), ones, { training: true });
    assert.deepEqual(got.dataSync(), want.dataSync());
    const steps = (got.toArray() as number[][][]).map(
      (sequence) => new Set(sequence.map((step) => step.join())),
    );
    assert.ok(steps.every((distinct) => distinct.size === 1));
    assert.deepEqual(new Set(got.dataSync()), new Set([0, Math.fround(1 / 0.6)]));
  });

  test('returns x and its mask unchanged at inference', () => {
    const [{ value, mask: outputMask }] = run(spatialDropout1d({ rate: 0.4 }), x, { mask }) as [
      MaskedSequence,
    ];
    assert.equal(value, x);
    assert.equal(outputMask, mask);
  });

  test('errors name the layer', () => {
    assert.throws(
      () => run(spatialDropout1d({ rate: 0.5, name: 'locked' }), randomTensor('v', 2, 3)),
      /Layer locked: expected a sequence \[batch, time, features\], got \[2, 3\]/,
    );
    assert.throws(
      () => dropout({ rate: 0.5, noiseShape: [null, 0], name: 'drop' }),
      /Layer drop: noiseShape must contain positive integers or null, got \[null, 0\]/,
    );
    assert.throws(
      () => run(dropout({ rate: 0.5, noiseShape: [null, 2, null], name: 'drop' }), x, { training: true }),
      /Layer drop: expected a shape to which noiseShape \[3, 2, 4\] can be broadcast, got \[3, 6, 4\]/,
    );
  });
});

describe('wordDropout', () => {
  const manyIds = tensor(
    Float32Array.from({ length: 4000 }, (_, i) => i % 5),
    [40, 100],
  );

  test('replaces ids with the given probability, but not padding', () => {
    const values = firstOutput(wordDropout({ rate: 0.25, id: 9 }), manyIds, { training: true }).dataSync();
    const replaced = values.filter((id) => id === 9).length;
    assert.ok(Math.abs(replaced / 3200 - 0.25) < 0.03, `${replaced} of 3200`);
    manyIds.dataSync().forEach((id, i) => {
      assert.ok(values[i] === id || (values[i] === 9 && id !== 0));
    });
  });

  test('replaces neither masked steps nor a non-zero paddingId, but replaces 0 if paddingId is null', () => {
    const ids = tensor(new Float32Array(300).fill(1), [3, 100]);
    const maskWithGaps = tensor(
      Float32Array.from({ length: 300 }, (_, i) => (i % 3 === 0 ? 0 : 1)),
      [3, 100],
    );
    const masked = firstOutput(wordDropout({ rate: 0.9, id: 7 }), ids, {
      training: true,
      mask: maskWithGaps,
    }).dataSync();
    assert.ok(masked.every((id, i) => i % 3 !== 0 || id === 1));
    assert.ok(masked.includes(7));
    const other = firstOutput(wordDropout({ rate: 0.9, id: 0, paddingId: 1 }), ids, {
      training: true,
    }).dataSync();
    assert.ok(other.every((id) => id === 1));
    const zeros = tensor(new Float32Array(100), [1, 100]);
    const none = firstOutput(wordDropout({ rate: 0.9, id: 7, paddingId: null }), zeros, {
      training: true,
    }).dataSync();
    assert.ok(none.includes(7));
  });

  test('replaces the same ids for the same seed, does nothing at inference, and feeds an embedding', () => {
    const layer = wordDropout({ rate: 0.5, id: 1 });
    const [a, b, c] = [0, 0, 1].map((seed) =>
      firstOutput(layer, manyIds, { training: true, seed }).dataSync(),
    );
    assert.deepEqual(a, b);
    assert.notDeepEqual(a, c);
    assert.equal(firstOutput(layer, manyIds), manyIds);
    const seeded = wordDropout({ rate: 0.5, id: 1, seed: 5 });
    const [d, e] = [0, 0].map((seed) => firstOutput(seeded, manyIds, { training: true, seed }).dataSync());
    assert.deepEqual(d, e);
    const network = sequential([
      layer,
      embedding({ inputDim: 5, outputDim: 2, maskZero: true }),
      lstm({ units: 2 }),
    ]);
    assert.deepEqual(firstOutput(network, manyIds, { training: true }).shape, [40, 2]);
  });

  test('errors name the layer', () => {
    assert.throws(
      () => wordDropout({ rate: 0.5, id: 0, name: 'words' }),
      /Layer words: id must differ from paddingId, got 0 for both/,
    );
    assert.throws(
      () => wordDropout({ rate: 0.5, id: 1, paddingId: 0.5, name: 'words' }),
      /Layer words: paddingId must be a non-negative integer, got 0\.5/,
    );
  });
});

describe('embedding dropout', () => {
  const ids = tensor(
    Float32Array.from({ length: 60 }, (_, i) => (i * 7) % 10),
    [3, 20],
  );
  const make = (): Layer => embedding({ inputDim: 10, outputDim: 3, embeddingDropout: 0.5 });

  test('drops the vector of an id wherever the id occurs, and scales the other vectors', () => {
    const layer = make();
    const whole = firstOutput(layer, ids).dataSync();
    const dropped = firstOutput(layer, ids, { training: true }).dataSync();
    const factors = new Map<number, number>();
    ids.dataSync().forEach((id, token) => {
      const factor = factors.get(id) ?? (dropped[token * 3] === 0 ? 0 : 2);
      factors.set(id, factor);
      for (let i = token * 3; i < token * 3 + 3; i++) assert.equal(dropped[i], whole[i]! * factor);
    });
    assert.deepEqual(new Set(factors.values()), new Set([0, 2]));
  });

  test('keeps the gradient of the table sparse', () => {
    const layer = make();
    layer.build([ids.shape]);
    const tape = new Tape();
    onBackend(float64, () => {
      const grads = scope(() =>
        tape.gradients(tape.recordDuring(() => sum(firstOutput(layer, ids, { training: true })))),
      );
      assert.ok(grads.get(layer.parameters[0]!) instanceof RowGradient);
    });
  });

  test('the gradient agrees with central differences', () =>
    checkGradients(make, ids, { training: true, discrete: true }));
});

describe('activationRegularization', () => {
  const penalties = (
    options: { ar?: number; tar?: number },
    sequence: Tensor,
    givenMask: Tensor | null = null,
  ): number[] => {
    const terms: Tensor[] = [];
    const context = { ...inferenceContext((term) => terms.push(term)), training: true };
    const [output] = activationRegularization(options).invoke(
      [{ value: sequence, mask: givenMask }],
      context,
    );
    assert.equal(output!.value, sequence);
    assert.equal(output!.mask, givenMask);
    return terms.map((term) => term.item());
  };
  /** Returns the mean of x² over valid steps, and the mean of (x_t - x_{t-1})² over pairs of valid steps. */
  const means = (givenMask: Tensor | null): [number, number] => {
    const rows = x.toArray() as number[][][];
    const valid = (givenMask?.toArray() ?? rows.map((row) => row.map(() => 1))) as number[][];
    const squares: number[] = [];
    const changes: number[] = [];
    rows.forEach((row, b) => {
      row.forEach((step, t) => {
        if (valid[b]![t] === 0) return;
        squares.push(...step.map((value) => value ** 2));
        if (t > 0 && valid[b]![t - 1] === 1)
          changes.push(...step.map((value, i) => (value - row[t - 1]![i]!) ** 2));
      });
    });
    const mean = (values: number[]): number =>
      values.reduce((total, value) => total + value, 0) / values.length;
    return [mean(squares), mean(changes)];
  };

  test('adds the mean square and the mean squared change of the valid steps to the loss', () => {
    onBackend(float64, () => {
      const exact = tensor(x.dataSync(), x.shape);
      for (const givenMask of [null, mask, maskOf('111111', '111111', '111111')]) {
        const [ar, tar] = means(givenMask);
        const got = penalties({ ar: 2, tar: 0.5 }, exact, givenMask);
        assert.equal(mismatch('penalties', got, [2 * ar, 0.5 * tar], 1e-12), null);
        assert.equal(penalties({ tar: 1 }, exact, givenMask).length, 1);
      }
    });
  });

  test('does not read masked steps, and adds 0 without valid steps or pairs', () => {
    const withNaN = tensor(
      x.dataSync().map((value, i) => (mask.dataSync()[Math.floor(i / I)] === 0 ? Number.NaN : value)),
      x.shape,
    );
    assert.deepEqual(penalties({ ar: 1, tar: 1 }, withNaN, mask), penalties({ ar: 1, tar: 1 }, x, mask));
    assert.deepEqual(penalties({ ar: 1, tar: 1 }, x, maskOf('000000', '000000', '000000')), [0, 0]);
    assert.equal(penalties({ ar: 1, tar: 1 }, slice(x, 1, 0, 1)).length, 1);
  });

  test('adds nothing in evaluation', () => {
    const terms: Tensor[] = [];
    activationRegularization({ ar: 1 }).invoke(
      [{ value: x, mask: null }],
      inferenceContext((term) => terms.push(term)),
    );
    assert.equal(terms.length, 0);
  });

  for (const givenMask of [null, mask]) {
    test(`gradients agree with central differences${givenMask ? ', with a mask' : ''}`, () =>
      checkGradients(() => activationRegularization({ ar: 2, tar: 3 }), x, {
        mask: givenMask,
        training: true,
      }));
  }

  test('errors name the layer', () => {
    assert.throws(
      () => activationRegularization({ ar: -1, name: 'penalty' }),
      /Layer penalty: ar must be a finite, non-negative number, got -1/,
    );
    assert.throws(
      () => run(activationRegularization({ ar: 1, name: 'penalty' }), randomTensor('v', 2, 3)),
      /Layer penalty: expected a sequence \[batch, time, features\], got \[2, 3\]/,
    );
  });
});

describe('training gives the same numbers on every backend as on the reference backend in float64', () => {
  const layers: Record<string, [() => Layer, Tensor]> = {
    spatialDropout1d: [() => spatialDropout1d({ rate: 0.4 }), x],
    'wordDropout and embedding dropout': [
      () =>
        sequential([
          wordDropout({ rate: 0.4, id: 1 }),
          embedding({ inputDim: 9, outputDim: 3, maskZero: true, embeddingDropout: 0.4 }),
        ]),
      tensor([
        [1, 2, 3, 4],
        [5, 8, 0, 0],
      ]),
    ],
    'weight drop': [
      () =>
        sequential([
          lstm({ units: 5, weightDrop: 0.4, returnSequences: true }),
          gru({ units: 4, weightDrop: 0.4, returnSequences: true }),
          simpleRNN({ units: 3, weightDrop: 0.4, returnSequences: true }),
        ]),
      x,
    ],
    activationRegularization: [() => activationRegularization({ ar: 1, tar: 1 }), x],
  };
  for (const [name, [make, input]] of Object.entries(layers)) {
    const numbers = () => {
      const layer = make();
      layer.build([input.shape]);
      const losses: Tensor[] = [];
      return outputsAndGradients(() => {
        const random = new RandomStream(3, 'run');
        const context = { ...inferenceContext((loss) => losses.push(loss)), training: true, random };
        const outputs = layer.invoke([{ value: input, mask: input.rank === 3 ? mask : null }], context);
        return [...outputs.map(({ value }) => value), ...losses.splice(0)];
      }, layer.parameters);
    };
    for (const { name: backendName, backend, reason } of testBackends()) {
      test(`${name} on ${backendName}`, { skip: !backend && reason }, () => {
        assertSame(name, onBackend(backend!, numbers), onBackend(float64, numbers), 1e-5);
      });
    }
  }
});
