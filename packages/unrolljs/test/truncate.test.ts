/**
 * The option `truncate` (truncated backpropagation) of a model's `fit`. Detects an option that is ignored, a different result if
 * the chunk is the whole sequence, and errors that do not name the layer.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  bidirectional,
  dense,
  embedding,
  type FitOptions,
  findLearningRate,
  gru,
  input,
  lstm,
  lstmCell,
  model,
  recurrent,
  type StepEvent,
  sequential,
  stackedCells,
  tensor,
  UnrollError,
} from 'unrolljs';

const [COUNT, STEPS, WORDS] = [6, 12, 5];
/** Ids, padded with 0. The target of each step is the id two steps before. */
const ids = Array.from({ length: COUNT }, (_, n) =>
  Array.from({ length: STEPS }, (_, t) => (t >= STEPS - n ? 0 : 1 + ((n * t + t * t) % (WORDS - 1)))),
);
const targets = ids.map((row) => row.map((_, t) => row[t - 2] ?? 0));

const tagger = () =>
  sequential(
    [
      embedding({ inputDim: WORDS, outputDim: 4, maskZero: true }),
      recurrent(stackedCells([lstmCell({ units: 6 }), lstmCell({ units: 5 })]), { returnSequences: true }),
      gru({ units: 8, returnSequences: true, recurrentDropout: 0.1 }),
      dense({ units: WORDS }),
    ],
    { seed: 4 },
  ).compile({
    optimizer: { name: 'adam', learningRate: 0.02 },
    loss: { name: 'sparseCategoricalCrossentropy', fromLogits: true },
    metrics: ['accuracy'],
  });

const weightsOf = (network: ReturnType<typeof tagger>) =>
  network.getWeights().map(({ values }) => [...values]);

async function fitted(options: FitOptions) {
  const network = tagger();
  const steps: StepEvent[] = [];
  const onEvent: FitOptions['onEvent'] = (event) => void (event.type === 'step' && steps.push(event));
  const history = await network.fit(ids, targets, { batchSize: 3, seed: 2, onEvent, ...options });
  return { history, weights: weightsOf(network), steps };
}

test('a chunk of the whole sequence gives the same bits as training without the option', async () => {
  const whole = await fitted({ epochs: 3 });
  const chunk = await fitted({ epochs: 3, truncate: { every: STEPS, length: STEPS } });
  assert.deepEqual(chunk.history, whole.history);
  assert.deepEqual(chunk.weights, whole.weights);
});

test('chunks learn a dependency within their length', async () => {
  const { history, steps } = await fitted({ epochs: 60, truncate: { every: 3, length: 6 } });
  assert.equal(steps.length, 60 * 2 * 4);
  assert.equal(steps.at(-1)!.steps, 8);
  assert.ok(history.metrics.accuracy.at(-1)! > 0.9, String(history.metrics.accuracy.at(-1)));
});

test('truncate works for functional models and in findLearningRate', async () => {
  const words = input({ shape: [null], name: 'words' });
  const vectors = embedding({ inputDim: WORDS, outputDim: 4 }).apply(words);
  const outputs = dense({ units: WORDS }).apply(gru({ units: 4, returnSequences: true }).apply(vectors));
  const network = model({ inputs: words, outputs, seed: 1 });
  const loss = { name: 'sparseCategoricalCrossentropy', fromLogits: true } as const;
  network.compile({ loss, optimizer: 'adam' });
  const truncate = { every: 4, length: 4 };
  const { loss: losses } = await network.fit({ words: ids }, targets, { epochs: 20, truncate });
  assert.ok(losses.at(-1)! < losses[0]);
  const data = { x: tensor(ids), y: tensor(targets) };
  const { points } = await findLearningRate(network, {
    ...data,
    loss,
    optimizer: 'adam',
    steps: 9,
    truncate,
  });
  assert.equal(points.length, 9);
});

test('errors name the option or the layer', async () => {
  const rejects = (work: Promise<unknown>, message: RegExp) =>
    assert.rejects(work, (error) => error instanceof UnrollError && message.test(error.message));
  await rejects(fitted({ truncate: { every: 3, length: 2 } }), /every must be at most length/);
  await rejects(fitted({ truncate: { every: 3, size: 2 } as never }), /size/);
  const both = sequential([bidirectional(lstm({ units: 3, returnSequences: true }), { name: 'both' }), dense({ units: 1 })]); // biome-ignore format: one line
  both.compile({ loss: 'mse' });
  const x = ids.map((row) => row.map((id) => [id]));
  await rejects(
    both.fit(x, x, { truncate: { every: 3, length: 3 } }),
    /truncate: layer both is bidirectional/,
  );
});
