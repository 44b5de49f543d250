/**
 * A backend that can only be read asynchronously trains, evaluates, predicts and streams without one synchronous read,
 * and gives the bits of the one that can be read at once.
 */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import {
  type Backend,
  predict,
  RandomStream,
  referenceBackend,
  setBackend,
  type Tensor,
  tensor,
} from '@unroll/core';
import {
  batchNormalization,
  dense,
  dropout,
  embedding,
  lstm,
  type Network,
  sequential,
  timeDistributed,
} from '@unroll/nn';
import { asyncReference } from '@unroll/testkit';
import { earlyStopping, evaluate, type FitOptions, fit, type TrainEvent } from '@unroll/train';

const [COUNT, STEPS, IDS, CLASSES] = [14, 5, 6, 3];

/** Sequences of ids, padded at the end with 0, and a class for each. */
function sequences(): { x: Tensor; y: Tensor } {
  const random = new RandomStream(1, 'async');
  const ids = random.uniform(COUNT * STEPS).map((u, i) => {
    const [row, step] = [Math.floor(i / STEPS), i % STEPS];
    return step > row % STEPS ? 0 : 1 + Math.floor(u * (IDS - 1));
  });
  return { x: tensor(ids, [COUNT, STEPS]), y: tensor(Array.from({ length: COUNT }, (_, i) => i % CLASSES)) };
}

function classifier(): Network {
  return sequential(
    [
      embedding({ inputDim: IDS, outputDim: 4, maskZero: true }),
      lstm({ units: 4, returnSequences: true, recurrentDropout: 0.2, kernelRegularizer: 'l2' }),
      batchNormalization(),
      dropout({ rate: 0.3 }),
      timeDistributed(dense({ units: 3, activation: 'tanh' })),
      lstm({ units: 3, kernelConstraint: 'maxNorm' }),
      dense({ units: CLASSES }),
    ],
    { seed: 5 },
  );
}

const common = {
  loss: { name: 'sparseCategoricalCrossentropy', fromLogits: true },
  optimizer: { name: 'adam', learningRate: 0.02 },
  metrics: ['accuracy'],
  batchSize: 4,
  epochs: 3,
} as const;

type Numbers = unknown[];

/** What a run gives, without what depends on time. */
async function ran(model: Network, options: Partial<FitOptions>): Promise<Numbers> {
  const numbers: Numbers = [];
  const onEvent = (event: TrainEvent): void => {
    const { seconds: _, sequencesPerSecond: __, ...rest } = event as unknown as Record<string, unknown>;
    numbers.push(rest);
  };
  const history = await fit(model, { ...common, ...sequences(), ...options, onEvent } as FitOptions);
  for (const { name, data } of model.parameters.map((own) => ({ name: own.name, data: own.data() }))) {
    numbers.push([name, [...(await data)]]);
  }
  return [...numbers, history];
}

/** The same on the asynchronous backend and on the synchronous one: equal to the bit. */
async function sameOn(work: (backend: Backend) => Promise<Numbers>): Promise<void> {
  const backend = asyncReference();
  await setBackend(backend);
  const found = await work(backend);
  assert.ok(backend.reads > 0);
  await setBackend(referenceBackend());
  assert.deepEqual(found, await work(referenceBackend()));
}

after(() => setBackend());

describe('a backend that is read asynchronously', () => {
  const cases: Record<string, () => Partial<FitOptions>> = {
    'no clip': () => ({}),
    'clip by value': () => ({ clip: { value: 0.01 } }),
    'clip by norm': () => ({ clip: { norm: 0.05 } }),
    'clip by the norm of all': () => ({ clip: { globalNorm: 0.1 } }),
    'accumulate, average, validation': () => ({
      accumulate: 2,
      average: { momentum: 0.5 },
      validationSplit: 0.3,
      weightedMetrics: ['accuracy'],
      callbacks: [earlyStopping({ patience: 1 })],
    }),
    'a lazy optimizer': () => ({ optimizer: { name: 'adam', lazy: true }, clip: { norm: 0.05 } }),
  };
  for (const [name, options] of Object.entries(cases)) {
    test(`trains: ${name}`, () => sameOn(() => ran(classifier(), options())));
  }

  test('evaluates and predicts', () =>
    sameOn(async () => {
      const model = classifier();
      const { x, y } = sequences();
      await fit(model, { ...common, x, y });
      const scores = await evaluate(model, { x, y }, { ...common, batchSize: 4 });
      const parts = await predict(model, x, { batchSize: 5 });
      const whole = await predict(model, x);
      return [scores, [...(await parts.data())], [...(await whole.data())]];
    }));
});
