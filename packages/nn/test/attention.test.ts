/**
 * Attention layers and the decoder: their results equal those of Keras and PyTorch (tools/goldens/attention.py), their
 * gradients equal central differences in float64, and streams, padded batches and rebuilt models give equal results.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Parameter, type Shape, slice, type Tensor, tensor } from '@unroll/core';
import { backendSync } from '@unroll/core/internal';
import {
  type AttentionDecoderOptions,
  type AttentionLayer,
  additiveAttention,
  attention,
  attentionDecoder,
  type Cell,
  dense,
  gruCell,
  input,
  type Layer,
  lengthMask,
  lstmCell,
  masking,
  model,
  modelFromConfig,
  peepholeLstmCell,
  type Recurrent,
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
import { maskOf, outputsAndGradients, randomTensor, run } from './helpers.js';

interface Case {
  name: string;
  kind: 'attention' | 'additiveAttention' | 'decoder';
  options: Record<string, never>;
  inputs: GoldenTensor[];
  masks: (GoldenTensor | null)[];
  weights: GoldenTensor[];
  outputs: GoldenTensor[];
  /** Coefficients of the scalar Σ outputWeights · outputs, whose gradients are compared; one tensor per output. */
  outputWeights: GoldenTensor[];
  gradients: GoldenTensor[];
}
const { cases } = readGoldens('layers/attention.json') as { cases: Case[] };

/** Returns the layer of a golden case. */
function layerOf({ kind, options }: Case): Layer {
  if (kind === 'attention') return attention({ ...options, returnAttentionScores: true });
  if (kind === 'additiveAttention') return additiveAttention({ ...options, returnAttentionScores: true });
  const { attention: name, ...rest } = options as Record<string, unknown>;
  const score = name === 'general' ? attention({ scoreMode: 'general' }) : additiveAttention({ units: 7 });
  return attentionDecoder(lstmCell({ units: 4 }), score, {
    ...{ returnSequences: true, returnAlignments: true, ...rest },
  });
}

for (const { name, backend, reason } of backends) {
  describe(`attention agrees with Keras and PyTorch on ${name}`, { skip: reason || false }, () => {
    for (const golden of cases) {
      test(golden.name, () => {
        onBackend(backend!, () => {
          const layer = layerOf(golden);
          const inputs = golden.inputs.map(
            (value, i) => new Parameter(`input ${i}`, value.shape, valuesOf(value)),
          );
          const masks = golden.masks.map((mask) => mask && tensorFrom(mask));
          layer.build(inputs.map(({ shape: [, ...rest] }) => [-1, ...rest]));
          layer.setWeights(
            golden.weights.map((weight) => ({ shape: weight.shape, values: valuesOf(weight) })),
          );
          const sequences = () => inputs.map((value, i) => ({ value, mask: masks[Math.min(i, 1)] ?? null }));
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

const float64 = backendSync('reference:float64');
const [B, T, I, S, D, H] = [3, 4, 2, 5, 3, 3];

/** Compares all gradients with central differences of a weighted sum of the outputs. */
function checkGradients(layer: Layer, shapes: readonly Shape[], masks: readonly (Tensor | null)[]): void {
  const inputs = shapes.map(
    (shape, i) => new Parameter(`input ${i}`, shape, randomTensor(`${i}`, ...shape).dataSync()),
  );
  layer.build(shapes.map(([, ...rest]) => [-1, ...rest]));
  for (const [i, parameter] of layer.parameters.entries())
    parameter.assign(randomTensor(`parameter ${i}`, ...parameter.shape).dataSync());
  const all = [...inputs, ...layer.parameters];
  const evaluate = () =>
    outputsAndGradients(
      () =>
        layer
          .invoke(inputs.map((value, i) => ({ value, mask: masks[i] ?? null })), inferenceContext()) // biome-ignore format: one line
          .map(({ value }) => value),
      all,
    );
  const { gradients } = evaluate();
  const loss = (): number =>
    evaluate().outputs.reduce((total, { values, shape }, k) => {
      const weights = randomTensor(`weights ${k}`, ...shape).dataSync();
      return total + Array.from(values).reduce((sum, value, i) => sum + value * weights[i], 0);
    }, 0);
  all.forEach((parameter, n) => {
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
  });
}

const SCORES: Record<string, () => AttentionLayer> = {
  dot: () => attention(),
  'dot with scale': () => attention({ useScale: true }),
  scaledDot: () => attention({ scoreMode: 'scaledDot' }),
  general: () => attention({ scoreMode: 'general' }),
  concat: () => attention({ scoreMode: 'concat', useScale: true }),
  additive: () => additiveAttention(),
  'additive with units': () => additiveAttention({ units: 4 }),
};
const CELLS: Record<string, () => Cell> = {
  lstm: () => lstmCell({ units: H }),
  gru: () => gruCell({ units: H }),
  'peephole LSTM': () => peepholeLstmCell({ units: H }),
  'stacked cells': () => stackedCells([lstmCell({ units: 2 }), gruCell({ units: H })]),
};
const decoderOf = (cell: Cell, score: AttentionLayer, options: AttentionDecoderOptions = {}): Recurrent =>
  attentionDecoder(cell, score, { returnSequences: true, returnAlignments: true, ...options });
const memoryMask = maskOf('11100', '11111', '10000');

describe('gradients in float64 equal central differences', () => {
  for (const [name, score] of Object.entries(SCORES)) {
    test(`of the layer ${name}, with masks`, () =>
      onBackend(float64, () => {
        const layer = score();
        checkGradients(layer, [[B, T, D], [B, S, D]], [maskOf('1111', '1100', '1110'), memoryMask]); // biome-ignore format: one line
      }));
    test(`of the decoder with ${name}`, () =>
      onBackend(float64, () => {
        checkGradients(decoderOf(lstmCell({ units: H }), score()), [[B, T, I], [B, S, D]], [null, memoryMask]); // biome-ignore format: one line
      }));
  }
  for (const [name, cell] of Object.entries(CELLS)) {
    test(`of the decoder over ${name}, with initial states and masked targets`, () =>
      onBackend(float64, () => {
        const layer = decoderOf(cell(), attention(), { returnState: true, units: 2 });
        const sizes = layer.cell.initialStates!.map((state) => layer.cell.stateSizes[state]);
        const mask = maskOf('1111', '1100', '1110');
        checkGradients(
          layer,
          [[B, T, I], ...sizes.map((size) => [B, size]), [B, S, D]],
          [mask, ...sizes.map(() => null), memoryMask],
        );
      }));
  }
});

/** Returns a model of a decoder whose memory is masked where it is 0. */
function decoderModel(cell: Cell, score: AttentionLayer, options: AttentionDecoderOptions = {}) {
  const memory = input({ shape: [null, D], name: 'memory' });
  const x = input({ shape: [null, I], name: 'x' });
  const [y, alignment] = decoderOf(cell, score, options).apply(x, { constants: [masking().apply(memory)] });
  return model({ inputs: [x, memory], outputs: [dense({ units: 2 }).apply(y), alignment] });
}
const x = randomTensor('x', B, T, I);
const lengths = [3, 5, 1];
const memory = tensor(
  randomTensor('memory', B, S, D)
    .dataSync()
    .map((value, i) => (Math.floor(i / D) % S < lengths[Math.floor(i / (S * D))] ? value : 0)),
  [B, S, D],
);

for (const { name, backend, reason } of backends) {
  describe(`the decoder on ${name}`, { skip: reason || false }, () => {
    for (const [cellName, cell] of Object.entries(CELLS)) {
      test(`over ${cellName}: streams, and sequences that run alone without padding, give the results of the padded batch`, () => {
        onBackend(backend!, () => {
          const network = decoderModel(cell(), additiveAttention({ units: 4 }));
          const [y, alignment] = run(network, [x, memory]).map(({ value }) => value.dataSync());
          const stream = network.stream({ inputs: { memory } });
          const close = (title: string, got: ArrayLike<number>, expected: ArrayLike<number>) =>
            throwProblems([mismatch(title, got, expected, 2e-6)]);
          const pushed = stream.push(slice(x, 1, 0, 2)).dataSync();
          const step = stream.step(tensor(slice(x, 1, 2, 3).dataSync(), [B, I])).dataSync();
          for (let b = 0; b < B; b++) {
            close(`row ${b}`, pushed.subarray(b * 4, b * 4 + 4), y.subarray(b * 2 * T, b * 2 * T + 4));
            close(
              `step, row ${b}`,
              step.subarray(b * 2, b * 2 + 2),
              y.subarray(b * 2 * T + 4, b * 2 * T + 6),
            );
            const alone = [slice(x, 0, b, b + 1), slice(slice(memory, 0, b, b + 1), 1, 0, lengths[b])];
            close(
              `row ${b} alone`,
              run(network, alone)[0].value.dataSync(),
              y.subarray(b * 2 * T, (b + 1) * 2 * T),
            );
          }
          const sums = Array.from({ length: B * T }, (_, i) =>
            Array.from(alignment.subarray(i * S, (i + 1) * S)).reduce((total, value) => total + value, 0),
          );
          close('sums of the alignments', sums, sums.map(() => 1)); // biome-ignore format: one line
        });
      });
    }
  });
}

test('padding of the memory has no effect, even if it is NaN; a sequence without a valid step has the context 0', () => {
  onBackend(float64, () => {
    const layer = attention({ returnAttentionScores: true });
    const values = randomTensor('values', B, S, D).dataSync();
    const mask = lengthMask([3, 0, 5], S);
    const broken = values.map((value, i) => (mask.dataSync()[Math.floor(i / D)] === 0 ? Number.NaN : value));
    const query = randomTensor('query', B, T, D);
    const outputs = [values, broken].map((numbers) =>
      run(layer, [query, tensor(numbers, [B, S, D])], { constantMask: mask }).map(({ value }) =>
        value.dataSync(),
      ),
    );
    assert.deepEqual(outputs[1], outputs[0]);
    assert.deepEqual([...outputs[0][0].subarray(T * D, 2 * T * D)], new Array(T * D).fill(0));
    assert.deepEqual([...outputs[0][1].subarray(T * S, 2 * T * S)], new Array(T * S).fill(0));
  });
});

test('masked target steps: the outputs, states and alignments of a longer padded batch are the same', () => {
  onBackend(float64, () => {
    const layer = decoderOf(lstmCell({ units: H }), attention(), { returnState: true });
    const long = randomTensor('long', B, 9, I);
    const short = slice(long, 1, 0, 4);
    const [yLong, hLong, , , alignLong] = run(layer, [long, memory], { mask: lengthMask([4, 2, 1], 9) });
    const [y, h, , , align] = run(layer, [short, memory], { mask: lengthMask([4, 2, 1], 4) });
    assert.deepEqual(slice(yLong.value, 1, 0, 4).dataSync(), y.value.dataSync());
    assert.deepEqual(hLong.value.dataSync(), h.value.dataSync());
    assert.deepEqual(slice(alignLong.value, 1, 0, 4).dataSync(), align.value.dataSync());
    assert.deepEqual(alignLong.value.shape, [B, 9, S]);
  });
});

test('dropout of the inner cell applies only in training, with one mask for all steps', () => {
  const layer = decoderOf(lstmCell({ units: H, dropout: 0.5, recurrentDropout: 0.5 }), attention());
  const outputs = (training: boolean, seed: number) =>
    run(layer, [x, memory], { training, seed })[0].value.dataSync();
  assert.deepEqual(outputs(false, 1), outputs(false, 2));
  assert.deepEqual(outputs(true, 1), outputs(true, 1));
  assert.notDeepEqual(outputs(true, 1), outputs(true, 2));
  assert.notDeepEqual(outputs(true, 1), outputs(false, 1));
});

test('a model that is rebuilt from its config has the same outputs and the same config', () => {
  for (const score of Object.values(SCORES)) {
    const network = decoderModel(stackedCells([lstmCell({ units: 2 }), gruCell({ units: H })]), score(), {
      inputFeeding: false,
      activation: 'relu',
      units: 4,
    });
    const rebuilt = modelFromConfig(JSON.parse(JSON.stringify(network.config)));
    rebuilt.build(network.inputShapes);
    rebuilt.setWeights(network.getWeights());
    const [expected, got] = [network, rebuilt].map((made) =>
      run(made, [x, memory]).map(({ value }) => value.dataSync()),
    );
    assert.deepEqual(got, expected);
    assert.deepEqual(JSON.parse(JSON.stringify(rebuilt.config)), JSON.parse(JSON.stringify(network.config)));
  }
  const [query, values] = [input({ shape: [null, D] }), input({ shape: [null, D] })];
  const layer = attention({ useScale: true, scoreMode: 'scaledDot' });
  const network = model({ inputs: [query, values], outputs: layer.apply([query, values]) });
  const rebuilt = modelFromConfig(JSON.parse(JSON.stringify(network.config)));
  assert.deepEqual(rebuilt.config, JSON.parse(JSON.stringify(network.config)));
});

test('a layer streams its queries if the values are fixed; otherwise, stream() throws an error with its name', () => {
  const [query, values] = [
    input({ shape: [null, D], name: 'query' }),
    input({ shape: [null, D], name: 'values' }),
  ];
  const layer = attention({ name: 'reader' });
  const network = model({ inputs: [query, values], outputs: layer.apply([query, values]) });
  const queries = randomTensor('queries', B, T, D);
  const expected = run(network, [queries, memory])[0].value;
  const stream = network.stream({ inputs: { values: memory } });
  assert.deepEqual(stream.push(slice(queries, 1, 0, 1)).dataSync(), slice(expected, 1, 0, 1).dataSync());
  assert.throws(() => network.stream(), /Layer reader: cannot be streamed: it attends to a whole sequence/);
});

test('errors of misuse name the layer and the remedy', () => {
  const target = input({ shape: [null, I] });
  const source = input({ shape: [null, D] });
  assert.throws(() => attention({ scoreMode: 'dots' as never }), /there is no scoreMode "dots".*dot/);
  assert.throws(() => attention({ dropout: 1 }), /dropout must be in \[0, 1\), got 1/);
  assert.throws(() => additiveAttention({ units: 0 }), /units must be a positive integer, got 0/);
  assert.throws(() => attention({ heads: 2 } as never), /no option "heads"/);
  assert.throws(() => attention().apply([target]), /takes the inputs \[query, value\]/);
  assert.throws(
    () => attention().apply([input({ shape: [D] }), source]),
    /expected a sequence \[batch, time, features\]/,
  );
  assert.throws(
    () => run(attention({ name: 'reader' }), [x, memory]),
    /Layer reader: queries and keys must have the same width, got \[2\] and \[3\]\. Use scoreMode "general"/,
  );
  assert.throws(
    () => run(decoderOf(lstmCell({ units: 7 }), attention()), [x, memory]),
    /must have the same width, got \[7\] and \[3\]/,
  );
  assert.throws(() => attentionDecoder(attention() as never, attention()), /takes a cell first/);
  assert.throws(
    () => attentionDecoder(lstmCell({ units: 2 }), {} as never),
    /takes attention\(\) or additiveAttention\(\)/,
  );
  assert.throws(
    () => attentionDecoder(lstmCell({ units: 2 }), attention({ dropout: 0.5 })),
    /the option dropout of Layer Attention does not apply in a decoder/,
  );
  const decoder = decoderOf(lstmCell({ units: D }), attention(), { name: 'decoder' });
  assert.throws(
    () => decoder.apply(target),
    /Layer decoder: takes initial states \(h, c\) or none, then constants \(memory\)/,
  );
  assert.throws(
    () => decoder.apply(target, { constants: [source], initialState: [source] }),
    /initial states \(h, c\)/,
  );
});
