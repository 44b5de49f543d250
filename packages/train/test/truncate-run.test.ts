/**
 * Training runs with truncated backpropagation through time: checkpoints in the middle of a batch, events, validation,
 * iterables, and errors. Detects a resumed run that differs in one bit, an update for a chunk of padding, and models, losses
 * or data that need whole sequences but are accepted.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Model, RandomStream, type Tensor, tensor } from '@unroll/core';
import {
  bidirectional,
  dense,
  dropout,
  embedding,
  flatten,
  gru,
  input,
  lstm,
  model,
  type Network,
  sequential,
  timeDistributed,
} from '@unroll/nn';
import {
  decodeCheckpoint,
  encodeCheckpoint,
  evaluate,
  fit,
  type RunSnapshot,
  type StepEvent,
  type TrainEvent,
  type TrainOptions,
  train,
} from '@unroll/train';
import { emptyHistory } from '@unroll/train/internal';
import { bagOfLabels } from './bag-loss.js';
import { fails } from './fails.js';
import { weightsOf } from './small-model.js';

const [N, T, I] = [10, 7, 2];

const normal = (name: string, shape: number[]): Tensor =>
  tensor(new RandomStream(4, name).normal(shape.reduce((a, b) => a * b)), shape);

const x = normal('x', [N, T, I]);
const y = normal('y', [N, T, 1]);
const maskOf = (lengths: readonly number[]): Tensor =>
  tensor(lengths.map((length) => Array.from({ length: T }, (_, t) => (t < length ? 1 : 0))));
const mask = maskOf([7, 3, 2, 6, 1, 7, 4, 4, 2, 3]);

const make = (): Network =>
  sequential(
    [
      lstm({ units: 4, returnSequences: true, dropout: 0.2, recurrentDropout: 0.2 }),
      dropout({ rate: 0.2, seed: 1 }),
      gru({ units: 3, returnSequences: true, recurrentDropout: 0.3, seed: 1 }),
      dense({ units: 1 }),
    ],
    { seed: 7 },
  );
const common = { x, y, loss: 'mse', optimizer: 'adam', batchSize: 4, seed: 3 } as const;

async function collect(network: Network, options: TrainOptions): Promise<TrainEvent[]> {
  const events: TrainEvent[] = [];
  for await (const event of train(network, options)) events.push(event);
  return events;
}
const stepsOf = (events: readonly TrainEvent[]): StepEvent[] =>
  events.filter((event): event is StepEvent => event.type === 'step');
/** Returns the events without the fields that depend on the clock. */
const withoutTimes = (events: readonly TrainEvent[]): unknown[] =>
  events.map((event) => {
    const { seconds: _, sequencesPerSecond: __, ...fields } = event as unknown as Record<string, unknown>;
    return fields;
  });

/** Returns the snapshot after encoding and decoding it, as in a file. */
const throughFile = (run: RunSnapshot): RunSnapshot =>
  decodeCheckpoint(encodeCheckpoint({ run, callbacks: {}, history: emptyHistory() })).run;

describe('a run resumed after any event equals an uninterrupted one', () => {
  const cases: Record<string, Partial<TrainOptions>> = {
    'every 3, length 3': { truncate: { every: 3, length: 3 } },
    'every 2, length 5, padding, 3 chunks per update': {
      truncate: { every: 2, length: 5 },
      mask,
      accumulate: 3,
    },
    'every 1, length 4, a moving average': { truncate: { every: 1, length: 4 }, average: { momentum: 0.9 } },
  };
  for (const [name, caseOptions] of Object.entries(cases)) {
    test(name, async () => {
      const options = { ...common, epochs: 2, metrics: ['mae'], ...caseOptions } as TrainOptions;
      const snapshots: RunSnapshot[] = [];
      const expected: TrainEvent[] = [];
      const uninterrupted = make();
      const run = train(uninterrupted, options);
      for await (const event of run) {
        expected.push(event);
        if (event.type !== 'end') snapshots.push(throughFile((await run.snapshot())!));
      }
      for (const [n, resume] of snapshots.entries()) {
        const network = make();
        const laterEvents = await collect(network, { ...options, resume });
        assert.deepEqual(
          withoutTimes(laterEvents),
          withoutTimes(expected.slice(n + 1)),
          `resumed after event ${n}`,
        );
        assert.deepEqual(weightsOf(network), weightsOf(uninterrupted));
      }
    });
  }

  test('cannot be resumed with another truncate option', async () => {
    const run = train(make(), { ...common, truncate: { every: 3, length: 3 } });
    await run.next();
    const resume = (await run.snapshot())!;
    await run.return();
    const message = /truncate must be every 3, length 3, got every 3, length 4/;
    const longer = { ...common, resume, truncate: { every: 3, length: 4 } };
    await assert.rejects(collect(make(), longer), fails('state', message));
    await assert.rejects(
      collect(make(), { ...common, resume }),
      fails('state', /must be every 3, length 3, got none/),
    );
  });
});

test('step events and accumulation count chunks, and an abort ends the run after a chunk', async () => {
  const truncate = { every: 3, length: 6 };
  const events = await collect(make(), { ...common, truncate, epochs: 2, accumulate: 2 });
  const steps = stepsOf(events);
  assert.equal(steps.length, 2 * 9); // 3 batches of 3 chunks
  assert.deepEqual(
    steps.slice(0, 9).map(({ step, updated, updates, examples }) => [step, updated, updates, examples]),
    [[1, false, 0, 4], [2, true, 1, 4], [3, false, 1, 4], [4, true, 2, 4], [5, false, 2, 4], [6, true, 3, 4], [7, false, 3, 2], [8, true, 4, 2], [9, true, 5, 2]], // biome-ignore format: a table
  );
  assert.ok(steps.every((event) => event.steps === 9));
  const controller = new AbortController();
  const seen: string[] = [];
  for await (const event of train(make(), { ...common, truncate, signal: controller.signal })) {
    seen.push(event.type);
    if (event.type === 'step' && event.step === 2) controller.abort();
  }
  assert.deepEqual(seen, ['step', 'step', 'end']);
});

test('the loss of an epoch is the mean over all valid steps, and validation uses whole sequences', async () => {
  const withoutLearning = { ...common, optimizer: { name: 'sgd', learningRate: 1e-30 } } as const;
  const plain = () =>
    sequential([lstm({ units: 4, returnSequences: true }), dense({ units: 1 })], { seed: 7 });
  const { loss } = await evaluate(plain(), { x, y, mask }, { loss: 'mse' });
  const validationData = { x, y, mask };
  const history = await fit(plain(), {
    ...withoutLearning,
    mask,
    validationData,
    truncate: { every: 2, length: 3 },
  });
  assert.ok(Math.abs(history.loss[0]! - loss) < 1e-6);
  assert.ok(Math.abs(history.validationLoss[0]! - loss) < 1e-6);
});

test('chunks that have only padding do not change the weights', async () => {
  const short = maskOf([3, 2, 3, 1, 3, 2, 2, 1, 3, 3]);
  for (const accumulate of [1, 2, 4]) {
    const network = make();
    const options = { ...common, mask: short, accumulate, shuffle: false, optimizer: 'adam' } as const;
    const steps = stepsOf(await collect(network, { ...options, truncate: { every: 3, length: 3 } }));
    const padding = steps.filter(({ step }) => step % 3 !== 1);
    assert.ok(padding.every(({ loss }) => loss === 0));
    // With accumulation, the last chunk of the epoch updates the weights.
    assert.equal(padding.filter(({ updated }) => updated).length, accumulate === 1 ? 0 : 1);
    // The results are the same as if the data ended before the padding.
    const firstSteps = (sequences: Tensor): Tensor => {
      const width = sequences.shape[2] ?? 1;
      const values = sequences.dataSync();
      const valueAt = (row: number, i: number) => values[row * T * width + i];
      return tensor(
        Float32Array.from({ length: N * 3 * width }, (_, n) =>
          valueAt(Math.floor(n / (3 * width)), n % (3 * width)),
        ),
        [N, 3, ...sequences.shape.slice(2)],
      );
    };
    const shortened = make();
    await collect(shortened, { ...options, x: firstSteps(x), y: firstSteps(y), mask: firstSteps(short) });
    assert.deepEqual(weightsOf(network), weightsOf(shortened));
  }
});

test('batches of an iterable may differ in length', async () => {
  const batch = (steps: number) => ({ x: normal('a', [4, steps, I]), y: normal('b', [4, steps, 1]) });
  const events = await collect(make(), {
    ...{ loss: 'mse', optimizer: 'adam', batches: [batch(5), batch(2), batch(9)], epochs: 2 },
    truncate: { every: 4, length: 8 },
  });
  const steps = stepsOf(events);
  assert.deepEqual(
    steps.map(({ step, steps: total }) => [step, total]),
    [1, 2, 3, 4, 5, 6].map((step) => [step, null]).concat([1, 2, 3, 4, 5, 6].map((step) => [step, 6])),
  );
});

test('supports sample weights per sequence or step, several outputs, embedding masks and functional models', async () => {
  const words = input({ shape: [null], name: 'words' });
  const extra = input({ shape: [null, I], name: 'extra' });
  const build = () => {
    const vectors = embedding({ inputDim: 6, outputDim: 3, maskZero: true }).apply(words);
    const wordStates = lstm({ units: 4, returnSequences: true }).apply(vectors);
    const extraStates = gru({ units: 3, returnSequences: true }).apply(extra);
    const outputs = [
      timeDistributed(dense({ units: 5 }), { name: 'tag' }).apply(wordStates),
      dense({ units: 1, name: 'level' }).apply(extraStates),
    ];
    return model({ inputs: [words, extra], outputs, seed: 1 });
  };
  const ids = tensor(Array.from({ length: N }, (_, n) => Array.from({ length: T }, (_, t) => (t > n % T ? 0 : 1 + ((n * t) % 5))))); // biome-ignore format: one line
  const tags = tensor(Array.from({ length: N }, (_, n) => Array.from({ length: T }, (_, t) => (n + t) % 5)));
  const options: TrainOptions = {
    ...{
      x: [ids, x],
      y: [tags, y],
      batchSize: 4,
      seed: 3,
      epochs: 2,
      optimizer: { name: 'adam', lazy: true },
    },
    loss: { tag: { name: 'sparseCategoricalCrossentropy', fromLogits: true }, level: 'mae' },
    sampleWeights: [normal('w', [N]), normal('v', [N, T])],
  };
  const untruncated = build();
  const expected = withoutTimes(await collect(untruncated, options));
  const oneChunk = build();
  assert.deepEqual(
    withoutTimes(await collect(oneChunk, { ...options, truncate: { every: T, length: T } })),
    expected,
  );
  assert.deepEqual(weightsOf(oneChunk), weightsOf(untruncated));
  const steps = stepsOf(await collect(build(), { ...options, truncate: { every: 2, length: 5 } }));
  assert.ok(steps.length === 2 * 3 * 4 && steps.every(({ loss }) => Number.isFinite(loss)));
});

test('the error for a value that is not finite names the layer or the example', async () => {
  const layers = [gru({ units: 3, activation: 'relu', returnSequences: true }), dense({ units: 1 })];
  const network = sequential(layers);
  network.build([[-1, T, I]]);
  const kernel = network.parameters.find(({ name }) => name.endsWith('gru/kernel'))!;
  kernel.assign(new Float32Array(kernel.size).fill(3e38));
  const options = { ...common, truncate: { every: 2, length: 5 } };
  const message = /not finite at epoch 1, step \d .*output of layer gru/;
  await assert.rejects(collect(network, options), fails('nan', message));
  const targetsWithNaN = tensor(
    y.dataSync().map((value, i) => (i === 4 ? Number.NaN : value)),
    y.shape,
  );
  await assert.rejects(
    collect(make(), { ...options, y: targetsWithNaN, shuffle: false }),
    fails('nan', /at epoch 1, step 3 .*y has the value NaN in the example at index 0/),
  );
});

describe('errors', () => {
  const rejects = (
    network: Model,
    options: Partial<TrainOptions>,
    code: 'value' | 'shape',
    message: RegExp,
  ) =>
    assert.rejects(
      async () => {
        const all = { ...common, truncate: { every: 2, length: 4 }, ...options } as TrainOptions;
        for await (const event of train(network, all)) assert.fail(`${event.type} before the error`);
      },
      fails(code, message),
    );

  test('of the options', async () => {
    const wrong = (truncate: unknown, message: RegExp) =>
      rejects(make(), { truncate } as never, 'value', message);
    await wrong({ every: 5, length: 4 }, /every must be at most length, got every = 5 and length = 4/);
    await wrong({ every: 1.5, length: 4 }, /truncate: every must be a positive integer, got 1\.5/);
    await wrong({ every: 0, length: 4 }, /truncate: every must be a positive integer, got 0/);
    await wrong({ every: 2, length: '4' }, /truncate: length must be a positive integer, got "4"/);
    await wrong({ every: 2 }, /truncate: length must be a positive integer, got undefined/);
    await wrong({ length: 2 }, /truncate: every must be a positive integer, got undefined/);
    await wrong({ every: 2, lenght: 4 }, /Did you mean "length"\?/);
    await wrong(20, /truncate must be \{ every, length \}, in time steps, got 20/);
  });

  test('of models that need whole sequences', async () => {
    const seq = (...layers: Parameters<typeof sequential>[0]) => sequential([...layers, dense({ units: 1 })]);
    const recurrentLayer = () => lstm({ units: 2, returnSequences: true });
    const bothDirections = bidirectional(recurrentLayer());
    await rejects(seq(bothDirections), {}, 'value', /^sequential cannot be trained with truncate: layer bidirectional is bidirectional, .*, so its sequences cannot be cut\. Leave out truncate\.$/); // biome-ignore format: one message
    const backwards = lstm({ units: 2, returnSequences: true, goBackwards: true, name: 'back' });
    await rejects(seq(backwards), {}, 'value', /truncate: layer back runs backwards/);
    const carried = lstm({ units: 2, returnSequences: true, stateful: true });
    await rejects(seq(carried), {}, 'value', /truncate: layer lstm is stateful.*Set stateful: false/);
    await rejects(seq(recurrentLayer(), flatten()), {}, 'value', /layer flatten flattens all steps/);
    await rejects(seq(lstm({ units: 2 })), {}, 'value', /the output "output" has a loss but no time axis\. Set returnSequences: true/); // biome-ignore format: one message
    const inner = make();
    const minimal: Model = {
      ...{ name: 'own', built: true, config: {}, parameters: [], build: () => {} },
      forward: (...call) => inner.forward(...call),
    };
    await rejects(minimal, {}, 'value', /^own cannot be trained with truncate: it needs the methods forwardFrom\(\)/); // biome-ignore format: one message
  });

  test('of losses and data that cannot be divided into chunks', async () => {
    await rejects(make(), { loss: bagOfLabels() }, 'value', /truncate: the loss bagOfLabels of the output "output" is computed from whole sequences/); // biome-ignore format: one message
    await rejects(make(), { y: normal('y', [N, 1]) }, 'shape', /y must have one target per step, shape \[batch, 7, \.\.\.\], for the output "output", got the shape \[4, 1\]/); // biome-ignore format: one message
    const [a, b] = [input({ shape: [null, I], name: 'a' }), input({ shape: [3], name: 'b' })];
    const outputs = dense({ units: 1 }).apply(lstm({ units: 2, returnSequences: true }).apply(a));
    const twoInputs = model({ inputs: [a, b], outputs: [outputs, dense({ units: 1 }).apply(b)] });
    const mixed = { x: [x, normal('b', [N, 3])], y: [y], loss: ['mse', null] } as const;
    await rejects(
      twoInputs,
      mixed as never,
      'shape',
      /all inputs must be sequences .* got a \[4, 7, 2\], b \[4, 3\]/,
    );
    await rejects(
      make(),
      { x: normal('x', [N, T, I + 1]), y, mask: tensor(new Float32Array(N * 5).fill(1), [N, 5]) } as never,
      'shape',
      /mask \[10, 5\] must have as many steps as an input/,
    );
  });
});
