/** The errors that end a run with non-finite values, and the warnings about likely mistakes. Each must name the cause. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import {
  type ForwardContext,
  log,
  type MaskedSequence,
  mul,
  type Shape,
  sqrt,
  sub,
  tensor,
  UnrollError,
} from '@unroll/core';
import { dense, embedding, Layer, lstm, type Network, sequential } from '@unroll/nn';
import { type FitOptions, fit, type TrainOptions, train, type WarningEvent } from '@unroll/train';
import { readCheckpoint } from '@unroll/train/node';
import { forecaster, waves, weightsOf } from './small-model.js';

const { x, y } = waves();
const common = { x, y, loss: 'mse', optimizer: 'sgd', batchSize: 16, shuffle: false } as const;

/** A layer that applies one function. */
class Apply extends Layer {
  readonly #f: (x: MaskedSequence['value']) => MaskedSequence['value'];
  constructor(name: string, f: (x: MaskedSequence['value']) => MaskedSequence['value']) {
    super({ name });
    this.#f = f;
  }
  outputShapes(inputs: readonly Shape[]): Shape[] {
    return [...inputs];
  }
  call([sequence]: readonly MaskedSequence[], _context: ForwardContext): MaskedSequence[] {
    return [{ value: this.#f(sequence!.value), mask: null }];
  }
}

async function failure(network: Network, options: Partial<FitOptions> = {}): Promise<UnrollError> {
  const error: unknown = await fit(network, { ...common, ...options } as FitOptions).then(
    () => null,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof UnrollError, String(error));
  assert.equal(error.code, 'nan');
  return error;
}

describe('the error of a diverged run', () => {
  test('names the layer whose output is not finite, the step and the batch', async () => {
    let calls = 0;
    const network = sequential([
      dense({ units: 2, name: 'first' }),
      new Apply('breaks', (value) => (++calls >= 3 ? log(mul(value, 0)) : value)),
      lstm({ units: 2, name: 'after' }),
      dense({ units: 1 }),
    ]);
    const error = await failure(network);
    assert.match(
      error.message,
      /not finite at epoch 1, step 3 \(batch of 8 examples\)\. The output of layer breaks has the value -Infinity\./,
    );
    assert.deepEqual([error.data.layer, error.data.epoch, error.data.step], ['breaks', 1, 3]);
  });

  test('names the first layer in the backward pass at whose output the gradient is not finite', async () => {
    // The square root of 0 is 0, and its derivative is infinite.
    const network = sequential([
      dense({ units: 2, name: 'first', kernelInitializer: 'zeros' }),
      new Apply('root', (value) => sqrt(mul(value, value))),
      lstm({ units: 2, name: 'after' }),
      dense({ units: 1, name: 'last' }),
    ]);
    const error = await failure(network);
    assert.match(
      error.message,
      /The gradient is not finite at epoch 1, step 1 .*The gradient at the output of layer first/,
    );
    assert.equal(error.data.layer, 'first');
  });

  test('says so if all values are finite when the batch is run again from the same carried states', async () => {
    let calls = 0;
    const network = sequential([
      new Apply('flickers', (value) => (++calls === 2 ? log(sub(mul(value, 0), 1)) : value)),
      lstm({ units: 2, stateful: true }),
      dense({ units: 1 }),
    ]);
    const error = await failure(network, { ...waves(8), batchSize: 4 });
    assert.match(error.message, /running the batch again gave finite values/);
  });

  test('names the example with a non-finite value', async () => {
    const values = x.dataSync();
    values[20 * 6 + 2] = Number.NaN;
    const error = await failure(forecaster(), { x: tensor(values, x.shape) });
    assert.match(
      error.message,
      /epoch 1, step 2 .* x has the value NaN in the example at index 20\. Look for missing values/,
    );
    const targets = y.dataSync();
    targets[3] = Number.POSITIVE_INFINITY;
    const other = await failure(forecaster(), { y: tensor(targets, y.shape) });
    assert.match(other.message, /y has the value Infinity in the example at index 3\./);
  });

  test('names the weights that an update made non-finite', async () => {
    const error = await failure(forecaster(), { optimizer: { name: 'adam', learningRate: 1e39 } });
    assert.match(
      error.message,
      /step 2 .*The weights lstm\/kernel of layer lstm became non-finite in an earlier update/,
    );
    assert.match(error.message, /Clip the gradients/);
  });

  test('names the weights that the last update of an epoch made non-finite', async () => {
    const error = await failure(forecaster(), {
      optimizer: { name: 'adam', learningRate: 1e39 },
      batchSize: 40,
    });
    assert.match(
      error.message,
      /weights lstm\/kernel of layer lstm became non-finite .* Found at epoch 1, step 1\./,
    );
  });

  test('names the example with a non-finite value in the validation data', async () => {
    const values = x.dataSync();
    values[7 * 6] = Number.NaN;
    const error = await failure(forecaster(), { validationData: { x: tensor(values, x.shape), y } });
    assert.match(
      error.message,
      /The validation loss is not finite at epoch 1, step 3 .* x has the value NaN in the example at index 7\./,
    );
  });

  test('names the location of the last good checkpoint, which still exists', async (t) => {
    const checkpointDir = mkdtempSync(join(tmpdir(), 'unroll-guard-'));
    t.after(() => rmSync(checkpointDir, { recursive: true }));
    let calls = 0;
    const network = sequential([
      new Apply('breaks', (value) => (++calls > 4 ? log(mul(value, 0)) : value)),
      lstm({ units: 2 }),
      dense({ units: 1 }),
    ]);
    const weightsByEpoch: number[][] = [];
    const onEvent: FitOptions['onEvent'] = (event) =>
      void (event.type === 'epoch' && weightsByEpoch.push(weightsOf(network)));
    const error = await failure(network, { checkpointDir, epochs: 3, onEvent });
    assert.equal(error.data.checkpoint, join(checkpointDir, 'last.safetensors'));
    assert.match(error.message, /The last good checkpoint is .*last\.safetensors\./);
    const checkpoint = await readCheckpoint(join(checkpointDir, 'last.safetensors'));
    assert.deepEqual(checkpoint!.run.cursor, { epoch: 2, step: 0, finished: false });
    const saved = Object.entries(checkpoint!.run.tensors).filter(([name]) => name.startsWith('weights/'));
    assert.deepEqual(
      saved.flatMap(([, { values }]) => [...values]),
      weightsByEpoch[0],
    );
  });
});

describe('warnings', () => {
  async function warnings(network: Network, options: Partial<TrainOptions>): Promise<WarningEvent[]> {
    const found: WarningEvent[] = [];
    for await (const event of train(network, { ...common, epochs: 2, ...options } as TrainOptions)) {
      if (event.type === 'warning') found.push(event);
    }
    return found;
  }
  const codes = async (...args: Parameters<typeof warnings>): Promise<string[]> =>
    (await warnings(...args)).map(({ code }) => code);

  const words = tensor([
    [1, 2, 3],
    [4, 1, 2],
    [2, 2, 1],
    [3, 1, 4],
  ]);
  const labels = tensor([0, 1, 1, 0]);
  const classifier = (activation: 'softmax' | 'linear'): Network =>
    sequential([
      embedding({ inputDim: 5, outputDim: 3 }),
      lstm({ units: 3 }),
      dense({ units: 2, activation }),
    ]);

  test('are not raised in a normal run', async () => {
    assert.deepEqual(await codes(forecaster(), {}), []);
    assert.deepEqual(await codes(forecaster({ stateful: true }), { ...waves(32), batchSize: 16 }), []);
    const loss = 'sparseCategoricalCrossentropy';
    assert.deepEqual(await codes(classifier('softmax'), { x: words, y: labels, loss }), []);
    const fromLogits = { name: loss, fromLogits: true } as const;
    assert.deepEqual(await codes(classifier('linear'), { x: words, y: labels, loss: fromLogits }), []);
  });

  test('are raised for softmax outputs with a loss that expects logits', async () => {
    const loss = { name: 'sparseCategoricalCrossentropy', fromLogits: true } as const;
    const [found, ...others] = await warnings(classifier('softmax'), { x: words, y: labels, loss });
    assert.deepEqual([found!.code, others.length], ['softmax-as-logits', 0]);
    assert.match(found!.message, /fromLogits: false/);
  });

  test('are raised for targets that are not scaled', async () => {
    const passengers = tensor(
      Float32Array.from(y.dataSync(), (value) => 300 + 100 * value),
      [40, 1],
    );
    const found = await warnings(forecaster(), { y: passengers, clip: { globalNorm: 1 } });
    assert.deepEqual(
      found.map(({ code }) => code),
      ['targets-unscaled'],
    );
    assert.match(found[0]!.message, /The targets of the output "output" have a root mean square of 290, but/);
  });

  test('are raised for left padding and for shuffling, if the model is stateful', async () => {
    const data = waves(32);
    const left = Array.from({ length: 32 }, () => [0, 0, 1, 1, 1, 1]);
    const right = Array.from({ length: 32 }, () => [1, 1, 1, 1, 0, 0]);
    const stateful = (): Network => forecaster({ stateful: true });
    assert.deepEqual(await codes(stateful(), { ...data, mask: left }), ['left-padding-stateful']);
    assert.deepEqual(await codes(stateful(), { ...data, mask: right }), []);
    assert.deepEqual(await codes(forecaster(), { ...data, mask: left }), []);
    assert.deepEqual(await codes(stateful(), { ...data, shuffle: true }), ['shuffle-stateful']);
  });

  test('are raised for a sequence shorter than the window', async () => {
    const mask = Array.from({ length: 40 }, (_, i) => (i === 21 ? [1, 1, 1, 0, 0, 0] : [1, 1, 1, 1, 1, 1]));
    const [found, ...others] = await warnings(forecaster(), { mask, window: 6 });
    assert.deepEqual([found!.code, others.length], ['short-sequence', 0]);
    assert.match(found!.message, /has 3 valid steps, fewer than the window of 6/);
    assert.deepEqual(await codes(forecaster(), { mask }), []);
    assert.deepEqual(await codes(forecaster(), { window: 7 }), ['short-sequence']);
  });

  test('are reported once each by fit', async () => {
    const texts: string[] = [];
    const data = { ...waves(32), shuffle: true, onWarning: (text: string) => void texts.push(text) };
    await fit(forecaster({ stateful: true }), { ...common, ...data, epochs: 3 });
    assert.equal(texts.length, 1);
    assert.match(texts[0]!, /Set shuffle: false\./);
  });
});
