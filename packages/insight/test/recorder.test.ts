/**
 * A recorder measures the updates of a training run: with gradient descent, weights change by the learning rate times the
 * gradient. Detects gradients or weights from the wrong update, and counts that are not reset.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { RandomStream, tensor } from '@unroll/core';
import { gradientFlow, histogramOf, recorder, saturation, type TrainingRecord } from '@unroll/insight';
import { toCsv, toTensorBoard } from '@unroll/insight/node';
import { dense, embedding, gru, sequential } from '@unroll/nn';
import { fit } from '@unroll/train';
import { tensorBoard } from '@unroll/train/node';

const random = new RandomStream(3, 'recorder');
const [N, T, I] = [16, 12, 2];
const x = tensor(Float32Array.from(random.normal(N * T * I)), [N, T, I]);
const y = tensor(Float32Array.from(random.normal(N)), [N, 1]);
const network = () => sequential([gru({ units: 4 }), dense({ units: 1 })], { seed: 1 });
const options = { x, y, batchSize: 4, loss: 'mse', optimizer: { name: 'sgd', learningRate: 0.1 } } as const;

function folderFor(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'unroll-recorder-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

describe('recorder', () => {
  for (const every of [1, 2]) {
    test(`a record has the gradients, the weight changes and the clip rate, every ${every} updates`, async () => {
      const seen: TrainingRecord[] = [];
      const callback = recorder({ every, onRecord: (record) => void seen.push(record) });
      const norms: number[] = [];
      await fit(network(), {
        ...{ ...options, epochs: 3, callbacks: [callback] },
        onEvent: (event) => event.type === 'step' && norms.push(event.gradientNorm),
      });
      assert.deepEqual(callback.records, seen);
      assert.deepEqual(
        seen.map(({ updates }) => updates),
        norms.map((_, i) => i + 1).filter((update) => update % every === 0),
      );
      for (const { updates, layers, gradientNorm, clipRate } of seen) {
        assert.equal(gradientNorm, norms[updates - 1]);
        assert.equal(clipRate, 0);
        assert.deepEqual(
          layers.map(({ layer }) => layer),
          ['gru', 'dense'],
        );
        const total = Math.hypot(...layers.map((layer) => layer.gradientNorm));
        assert.ok(Math.abs(total / gradientNorm - 1) < 1e-5);
        for (const layer of layers) {
          const change = layer.updateRatio * layer.weightNorm;
          // The weights before the first update are not known.
          if (updates === 1) assert.ok(Number.isNaN(change));
          else
            assert.ok(Math.abs(change / (0.1 * layer.gradientNorm) - 1) < 1e-3, `${layer.layer} ${change}`);
        }
      }
      assert.equal(norms.length, 12);
    });
  }

  test('counts clipped updates, also with accumulated gradients', async () => {
    const callback = recorder({ every: 2 });
    const clip = { globalNorm: 1e-3 };
    await fit(network(), { ...options, clip, accumulate: 2, epochs: 2, callbacks: [callback] });
    assert.deepEqual(
      callback.records.map(({ updates, clipRate }) => [updates, clipRate]),
      [
        [2, 1],
        [4, 1],
      ],
    );
    const [{ layers }] = callback.records as [TrainingRecord];
    // The recorded gradients are not clipped, but the weights change by the clipped gradients.
    const change = Math.hypot(...layers.map(({ updateRatio, weightNorm }) => updateRatio * weightNorm));
    assert.ok(Math.abs(change / 1e-4 - 1) < 0.05, String(change));
    assert.ok(layers.every(({ gradientNorm }) => gradientNorm > 1e-3));
  });

  test('gradients by lag and saturation are those of gradientFlow and saturation after the same update', async () => {
    const model = network();
    const sample = { x, y, loss: 'mse' } as const;
    const expected: number[][] = [];
    const low: number[] = [];
    const callback = recorder({
      ...{ ...sample, every: 4 },
      async onRecord() {
        const flow = await gradientFlow(model, x, y, { loss: 'mse' });
        expected.push(Array.from(flow.layers[0]!.states.h!.relative.mean));
        low.push((await saturation(model, x))[0]!.gates.z!.low);
      },
    });
    await fit(model, { ...options, epochs: 2, callbacks: [callback] });
    assert.deepEqual(
      callback.records.map(({ lags }) => Array.from(lags[0]!.relative)),
      expected,
    );
    assert.deepEqual(
      callback.records.map(({ gates }) => gates.find(({ gate }) => gate === 'z')!.low),
      low,
    );
    assert.equal(expected.length, 2);
  });

  test('sparse gradients of an embedding are recorded as dense gradients', async () => {
    const ids = tensor([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    const model = sequential([
      embedding({ inputDim: 50, outputDim: 2 }),
      gru({ units: 3 }),
      dense({ units: 1 }),
    ]);
    const callback = recorder({ every: 1 });
    const lazy = { name: 'adam', lazy: true } as const;
    await fit(model, {
      x: ids,
      y: tensor([[1], [2]]),
      batchSize: 1,
      loss: 'mse',
      optimizer: lazy,
      epochs: 2,
      callbacks: [callback],
    });
    for (const { gradientNorm, layers, gradients } of callback.records) {
      assert.ok(Math.abs(Math.hypot(...layers.map((layer) => layer.gradientNorm)) / gradientNorm - 1) < 1e-5);
      assert.equal(gradients['embedding/embeddings']!.count, 100);
    }
  });

  test('a resumed run continues the CSV and TensorBoard files', async (t) => {
    const folder = folderFor(t);
    const run = (to: string, epochs: number, resume: boolean) => {
      const board = tensorBoard(join(folder, to, 'board'));
      const sinks = [toTensorBoard(board), toCsv(join(folder, to, 'records.csv'))];
      const callbacks = [board, recorder({ every: 3, x, to: sinks })];
      const checkpointDir = join(folder, to, 'checkpoints');
      return fit(network(), { ...options, epochs, callbacks, checkpointDir, resume });
    };
    await run('whole', 4, false);
    await run('parts', 2, false);
    await run('parts', 4, true);
    const csv = (name: string): string => readFileSync(join(folder, name, 'records.csv'), 'utf8');
    assert.equal(csv('parts'), csv('whole'));
    const [header, ...rows] = csv('whole').trim().split('\n');
    assert.match(header!, /^epoch,step,updates,loss,clip_rate,gradient_norm,gradient_norm\/gru,/);
    assert.match(header!, /,gradient_by_lag\/gru\/h\/10,.*saturation\/gru\/z\/high,.*dead_units\/gru$/);
    assert.deepEqual(
      rows.map((row) => row.split(',')[2]),
      ['3', '6', '9', '12', '15'],
    );
    const sizes = ['whole', 'parts'].map((name) => {
      const train = join(folder, name, 'board', 'train');
      return readFileSync(join(train, readdirSync(train)[0]!)).length;
    });
    assert.equal(sizes[0], sizes[1]);
    const bytes = readFileSync(
      join(folder, 'whole', 'board', 'train', readdirSync(join(folder, 'whole', 'board', 'train'))[0]!),
    );
    for (const tag of ['update_ratio/dense', 'weights/gru/kernel', 'gradients/dense/bias'])
      assert.ok(bytes.includes(tag), tag);
  });

  test('rejects wrong options', () => {
    assert.throws(() => recorder({ every: 0 }), /every must be a positive integer, got 0/);
    assert.throws(() => recorder({ x, loss: 'mse' }), /both y and loss, or neither/);
    assert.throws(() => toTensorBoard({} as never), /takes the callback tensorBoard/);
  });
});

test('a histogram counts every finite number', () => {
  const found = histogramOf([1, 2, 3, 4, 5, Number.NaN, Number.POSITIVE_INFINITY], 2);
  assert.deepEqual(Array.from(found.counts), [2, 3]);
  assert.deepEqual(Array.from(found.edges), [1, 3, 5]);
  assert.deepEqual([found.min, found.max, found.count, found.sum, found.sumSquares], [1, 5, 5, 15, 55]);
  const equal = histogramOf([7, 7, 7], 4);
  assert.equal(equal.counts[0], 3);
  assert.equal(histogramOf([], 3).count, 0);
});
