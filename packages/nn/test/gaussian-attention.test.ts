/**
 * The decoder with Gaussian attention: its results equal those of PyTorch (tools/goldens/gaussian_attention.py), its
 * gradients equal central differences in float64, and streams, padded batches and rebuilt models give equal results.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Parameter, slice, tensor } from '@unroll/core';
import { backendSync } from '@unroll/core/internal';
import {
  type GaussianAttentionOptions,
  gaussianAttentionDecoder,
  gruCell,
  input,
  lengthMask,
  lstmCell,
  masking,
  model,
  modelFromConfig,
  stackedCells,
} from '@unroll/nn';
import { mismatch, throwProblems } from '@unroll/testkit';
import { readGoldens } from '@unroll/testkit/node';
import {
  backends,
  compare,
  type GoldenTensor,
  inferenceContext,
  onBackend,
  tensorFrom,
  valuesOf,
} from './golden-case.js';
import { outputsAndGradients, randomTensor, run } from './helpers.js';

interface Case {
  name: string;
  options: GaussianAttentionOptions;
  inputs: GoldenTensor[];
  masks: (GoldenTensor | null)[];
  weights: GoldenTensor[];
  outputs: GoldenTensor[];
  /** Coefficients of the scalar Σ outputWeights · outputs, whose gradients are compared; one tensor per output. */
  outputWeights: GoldenTensor[];
  gradients: GoldenTensor[];
}
const { cases } = readGoldens('layers/gaussian-attention.json') as { cases: Case[] };
const ALL_OUTPUTS = { returnSequences: true, returnAlignments: true } as const;

for (const { name, backend, reason } of backends) {
  describe(`Gaussian attention agrees with PyTorch on ${name}`, { skip: reason || false }, () => {
    for (const golden of cases) {
      test(golden.name, () => {
        onBackend(backend!, () => {
          const layer = gaussianAttentionDecoder(lstmCell({ units: 4 }), {
            ...golden.options,
            ...ALL_OUTPUTS,
          });
          const inputs = golden.inputs.map(
            (value, i) => new Parameter(`input ${i}`, value.shape, valuesOf(value)),
          );
          const masks = golden.masks.map((mask) => mask && tensorFrom(mask));
          layer.build(inputs.map(({ shape: [, ...rest] }) => [-1, ...rest]));
          layer.setWeights(
            golden.weights.map((weight) => ({ shape: weight.shape, values: valuesOf(weight) })),
          );
          const sequences = () => inputs.map((value, i) => ({ value, mask: masks[i] ?? null }));
          compare(
            () => layer.invoke(sequences(), inferenceContext()).map(({ value }) => value),
            [...inputs, ...layer.parameters],
            golden,
          );
        });
      });
    }
  });
}

const [B, T, I, S, D] = [3, 4, 2, 5, 3];

test('gradients equal central differences in float64, over stacked cells with a masked memory', () => {
  onBackend(backendSync('reference:float64'), () => {
    const cell = stackedCells([lstmCell({ units: 2 }), gruCell({ units: 3 })]);
    const layer = gaussianAttentionDecoder(cell, { units: 2, components: 2, hiddenUnits: 3, ...ALL_OUTPUTS });
    const shapes = [[B, T, I], [B, S, D]]; // biome-ignore format: one line
    const inputs = shapes.map(
      (shape, i) => new Parameter(`input ${i}`, shape, randomTensor(`${i}`, ...shape).dataSync()),
    );
    layer.build(shapes.map(([, ...rest]) => [-1, ...rest]));
    for (const [i, parameter] of layer.parameters.entries())
      parameter.assign(randomTensor(`parameter ${i}`, ...parameter.shape).dataSync());
    const masks = [null, lengthMask([3, 5, 1], S)];
    const all = [...inputs, ...layer.parameters];
    const numbers = () =>
      outputsAndGradients(() => {
        const sequences = inputs.map((value, i) => ({ value, mask: masks[i] }));
        return layer.invoke(sequences, inferenceContext()).map(({ value }) => value);
      }, all);
    const { gradients } = numbers();
    const loss = (): number =>
      numbers().outputs.reduce((total, { values, shape }, k) => {
        const weights = randomTensor(`weights ${k}`, ...shape).dataSync();
        return total + Array.from(values).reduce((sum, value, i) => sum + value * weights[i], 0);
      }, 0);
    for (const [n, parameter] of all.entries()) {
      const values = parameter.dataSync();
      const differences = values.map((_, i) => {
        const lossAt = (step: number): number => {
          parameter.assign(values.map((value, j) => (j === i ? value + step : value)));
          return loss();
        };
        return (lossAt(1e-5) - lossAt(-1e-5)) / 2e-5;
      });
      parameter.assign(values);
      throwProblems([mismatch(parameter.name, gradients[n].values, differences, 1e-7)]);
    }
  });
});

/** Returns a model of a decoder whose memory is masked where it is 0. */
function decoderModel() {
  const memory = input({ shape: [null, D], name: 'memory' });
  const x = input({ shape: [null, I], name: 'x' });
  const decoder = gaussianAttentionDecoder(lstmCell({ units: 3 }), {
    ...{ initialStep: 0.5, initialWidth: 2, units: 2, ...ALL_OUTPUTS },
  });
  const [y, alignment] = decoder.apply(x, { constants: [masking().apply(memory)] });
  return model({ inputs: [x, memory], outputs: [y, alignment] });
}
const lengths = [3, 5, 1];
const x = randomTensor('x', B, T, I);
const memory = tensor(
  randomTensor('memory', B, S, D)
    .dataSync()
    .map((value, i) => (Math.floor(i / D) % S < lengths[Math.floor(i / (S * D))] ? value : 0)),
  [B, S, D],
);

for (const { name, backend, reason } of backends) {
  test(`streams, and sequences that run alone without padding, give the results of the padded batch on ${name}`, {
    skip: reason || false,
  }, () => {
    onBackend(backend!, () => {
      const network = decoderModel();
      const [y, alignment] = run(network, [x, memory]).map(({ value }) => value.dataSync());
      const stream = network.stream({ inputs: { memory } });
      const first = stream.push(slice(x, 1, 0, 2)).dataSync();
      const step = stream.step(tensor(slice(x, 1, 2, 3).dataSync(), [B, I])).dataSync();
      const close = (title: string, got: ArrayLike<number>, expected: ArrayLike<number>) =>
        throwProblems([mismatch(title, got, expected, 2e-6)]);
      for (let b = 0; b < B; b++) {
        const row = y.subarray(b * 2 * T, (b + 1) * 2 * T);
        close(`row ${b}`, first.subarray(b * 4, b * 4 + 4), row.subarray(0, 4));
        close(`step, row ${b}`, step.subarray(b * 2, b * 2 + 2), row.subarray(4, 6));
        const alone = [slice(x, 0, b, b + 1), slice(slice(memory, 0, b, b + 1), 1, 0, lengths[b])];
        close(`row ${b} alone`, run(network, alone)[0].value.dataSync(), row);
        const masked = alignment.subarray(b * T * S, (b + 1) * T * S).filter((_, i) => i % S >= lengths[b]);
        assert.ok(masked.every((weight) => weight === 0));
      }
    });
  });
}

test('before training, the means move by initialStep positions in a step', () => {
  const layer = gaussianAttentionDecoder(lstmCell({ units: 3 }), {
    ...{ initialStep: 2, initialWidth: 0.5, ...ALL_OUTPUTS },
  });
  layer.build([[-1, -1, I], [-1, -1, D]]); // biome-ignore format: one line
  const kernel = layer.parameters.find((parameter) => parameter.name.endsWith('curve_kernel'));
  kernel!.assign(new Float32Array(kernel!.size));
  const [, alignment] = run(layer, [randomTensor('x', 1, 3, I), randomTensor('memory', 1, 9, D)]);
  const rows = alignment.value.dataSync();
  const peaks = [0, 1, 2].map((t) => {
    const row = Array.from(rows.subarray(t * 9, (t + 1) * 9));
    return row.indexOf(Math.max(...row));
  });
  assert.deepEqual(peaks, [2, 4, 6]);
});

test('a model that is rebuilt from its config has the same outputs', () => {
  const network = decoderModel();
  const rebuilt = modelFromConfig(JSON.parse(JSON.stringify(network.config)));
  rebuilt.build(network.inputShapes);
  rebuilt.setWeights(network.getWeights());
  const [expected, got] = [network, rebuilt].map((made) =>
    run(made, [x, memory]).map(({ value }) => value.dataSync()),
  );
  assert.deepEqual(got, expected);
});

test('rejects a first argument that is not a cell, and an initialStep of 0', () => {
  assert.throws(() => gaussianAttentionDecoder({} as never), /takes a cell first/);
  assert.throws(
    () => gaussianAttentionDecoder(lstmCell({ units: 2 }), { initialStep: 0 }),
    /initialStep must be above 0, got 0/,
  );
});
