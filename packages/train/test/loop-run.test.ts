/**
 * Training runs: the order of events, ending a run early, the option `beforeUpdate`, learning rates, averaged weights, and
 * yielding to the event loop.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  type Examples,
  evaluate,
  exponentialDecay,
  fit,
  type GradientHook,
  OptimizerMemory,
  type StepEvent,
  type TrainEvent,
  type TrainOptions,
  train,
} from '@unroll/train';
import { distance, forecaster, rows, waves, weightsOf } from './small-model.js';

const { x, y } = waves();
const common = { x, y, loss: 'mse', optimizer: 'adam', batchSize: 16, shuffle: false } as const;

async function eventsOf(options: Partial<TrainOptions>, network = forecaster()): Promise<TrainEvent[]> {
  const events: TrainEvent[] = [];
  for await (const event of train(network, { ...common, ...options } as TrainOptions)) events.push(event);
  return events;
}

test('events come in order: the steps of an epoch, the epoch, the end', async () => {
  const events = await eventsOf({ epochs: 2, validationData: { x, y } });
  assert.deepEqual(
    events.map((event) => event.type),
    ['step', 'step', 'step', 'epoch', 'step', 'step', 'step', 'epoch', 'end'],
  );
  const [, second, third, epoch] = events as [
    StepEvent,
    StepEvent,
    StepEvent,
    TrainEvent & { type: 'epoch' },
  ];
  assert.deepEqual([second.epoch, second.step, second.steps, second.examples], [1, 2, 3, 16]);
  assert.equal(third.examples, 8);
  const losses = (events.slice(0, 3) as StepEvent[]).map(({ loss, examples }) => loss * examples);
  assert.ok(Math.abs(epoch.loss - losses.reduce((a, b) => a + b) / 40) < 1e-6);
  assert.ok(epoch.validationLoss! > 0);
  assert.deepEqual(events.at(-1), { type: 'end', reason: 'done', completed: true });
});

test('the metrics of an epoch cover only that epoch', async () => {
  const events = await eventsOf({ epochs: 3, loss: 'mae', metrics: ['mae'] });
  for (const epoch of events.filter((event) => event.type === 'epoch')) {
    const steps = events.filter(
      (event): event is StepEvent => event.type === 'step' && event.epoch === epoch.epoch,
    );
    const mean = steps.reduce((sum, { loss, examples }) => sum + (loss * examples) / 40, 0);
    assert.ok(Math.abs(epoch.loss - mean) < 1e-6 && Math.abs(epoch.metrics.mae! - mean) < 1e-6);
  }
});

test('dropout masks differ between steps and epochs, and are reproducible', async () => {
  const run = async (seed: number): Promise<number[]> => {
    const withoutLearning = { optimizer: { name: 'sgd', learningRate: 1e-30 }, epochs: 2, seed } as const;
    const batch = { x: rows(x, 0, 4), y: rows(y, 0, 4) };
    const events = await eventsOf(
      { ...withoutLearning, batches: [batch, batch, batch], x: undefined, y: undefined },
      forecaster({ dropout: 0.5 }),
    );
    return events.flatMap((event) => (event.type === 'step' ? [event.loss] : []));
  };
  const losses = await run(1);
  assert.equal(new Set(losses).size, 6, String(losses));
  assert.deepEqual(await run(1), losses);
  assert.notDeepEqual(await run(2), losses);
});

test('a signal ends the run after the current batch', async () => {
  const controller = new AbortController();
  const seen: string[] = [];
  for await (const event of train(forecaster(), { ...common, epochs: 5, signal: controller.signal })) {
    seen.push(event.type === 'end' ? `end ${event.reason} ${event.completed}` : event.type);
    if (event.type === 'step' && event.step === 2) controller.abort();
  }
  assert.deepEqual(seen, ['step', 'step', 'end aborted false']);
  const before = new AbortController();
  before.abort();
  assert.deepEqual(
    (await eventsOf({ signal: before.signal })).map((event) => event.type),
    ['end'],
  );
});

test('stop() ends the run after the event', async () => {
  const run = train(forecaster(), { ...common, epochs: 5 });
  const seen: TrainEvent[] = [];
  for await (const event of run) {
    seen.push(event);
    if (event.type === 'epoch') run.stop();
  }
  assert.deepEqual(
    seen.slice(3).map((event) => event.type),
    ['epoch', 'end'],
  );
  assert.deepEqual(seen.at(-1), { type: 'end', reason: 'stopped', completed: true });
});

test('yields to the event loop between slow batches, also in validation', async () => {
  let requestedBatches = 0;
  /** The value of `requestedBatches` at each turn of the event loop. */
  const requestedByTurn = [0];
  let isTraining = true;
  const onTurn = (): void => {
    requestedByTurn.push(requestedBatches);
    if (isTraining) setImmediate(onTurn);
  };
  setImmediate(onTurn);
  const batches = function* (): Generator<Examples> {
    for (let i = 0; i < 6; i++, requestedBatches++) {
      // Longer than the time after which the training loop yields.
      for (const start = performance.now(); performance.now() - start < 18; );
      yield { x: rows(x, i, i + 4), y: rows(y, i, i + 4) };
    }
  };
  await fit(forecaster(), { ...common, x: undefined, y: undefined, batches, validationData: batches });
  isTraining = false;
  requestedByTurn.push(requestedBatches);
  // The next batch is requested before the training step of the current one. No two batches may be requested in one turn of
  // the event loop.
  const severalInOneTurn = requestedByTurn.slice(1).filter((count, i) => count - requestedByTurn[i]! > 1);
  assert.deepEqual(severalInOneTurn, []);
  assert.equal(requestedBatches, 12);
});

describe('the hook beforeUpdate', () => {
  test('reads and replaces the gradients', async () => {
    const plain = forecaster();
    await fit(plain, { ...common, optimizer: { name: 'sgd', learningRate: 0.02 } });
    const doubled = forecaster();
    await fit(doubled, {
      ...common,
      optimizer: { name: 'sgd', learningRate: 0.01 },
      async beforeUpdate(gradients) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        gradients.write((await gradients.read()).map((value) => 2 * value));
      },
    });
    assert.ok(distance(weightsOf(plain), weightsOf(doubled)) < 1e-7);
  });

  test('cannot write a different number of values', async () => {
    for (const change of [1, -1]) {
      const beforeUpdate: GradientHook = (gradients) =>
        gradients.write(new Float32Array(gradients.length + change));
      await assert.rejects(
        eventsOf({ beforeUpdate }),
        /write\(\): values must have one entry per weight \(\d+\), got \d+/,
      );
    }
  });

  test('runs once per update, before clipping; `count` covers all accumulated batches', async () => {
    const counts: number[] = [];
    const lengths: number[] = [];
    const model = forecaster();
    const events = await eventsOf(
      {
        batchSize: 8,
        accumulate: 2,
        clip: { globalNorm: 1e-6 },
        beforeUpdate: ({ count, length }) => {
          counts.push(count);
          lengths.push(length);
        },
      },
      model,
    );
    assert.deepEqual(counts, [16, 16, 8]);
    const { length } = weightsOf(model);
    assert.ok(length > 0);
    assert.deepEqual(lengths, [length, length, length]);
    const steps = events.filter((event): event is StepEvent => event.type === 'step');
    assert.deepEqual(
      steps.map(({ clipped }) => clipped),
      [false, true, false, true, true],
    );
  });
});

test('the learning rate is that of the schedule for each update, times learningRateScale', async () => {
  const learningRate = exponentialDecay({ initialLearningRate: 0.1, decaySteps: 1, decayRate: 0.5 });
  const run = train(forecaster(), { ...common, optimizer: { name: 'sgd', learningRate } });
  const rates: number[] = [];
  for await (const event of run) {
    if (event.type !== 'step') continue;
    rates.push(event.learningRate);
    run.learningRateScale = 0.1;
  }
  assert.ok(distance(rates, [0.1, 0.005, 0.0025]) < 1e-12, String(rates));
});

test('runs that share a memory continue with the optimizer state; other runs start with a new state', async () => {
  const oneRun = forecaster();
  await fit(oneRun, { ...common, epochs: 4 });
  const memory = new OptimizerMemory();
  const withMemory = forecaster();
  await fit(withMemory, { ...common, epochs: 2, memory });
  await fit(withMemory, { ...common, epochs: 2, memory });
  assert.deepEqual(weightsOf(withMemory), weightsOf(oneRun));
  const withoutMemory = forecaster();
  await fit(withoutMemory, { ...common, epochs: 2 });
  await fit(withoutMemory, { ...common, epochs: 2 });
  assert.notDeepEqual(weightsOf(withoutMemory), weightsOf(oneRun));
});

test('validation uses averaged weights, which replace the weights at the end', async () => {
  const network = forecaster();
  const seen: number[][] = [];
  let last = Number.NaN;
  for await (const event of train(network, {
    ...common,
    validationData: { x, y },
    average: { momentum: 0.5 },
  })) {
    if (event.type === 'step') seen.push(weightsOf(network));
    if (event.type === 'epoch') last = event.validationLoss!;
  }
  const [a, b, c] = seen as [number[], number[], number[]];
  const mean = a.map((value, i) => 0.25 * value + 0.25 * b[i]! + 0.5 * c[i]!);
  assert.ok(distance(mean, weightsOf(network)) < 1e-6);
  const events = await eventsOf(
    { optimizer: { name: 'sgd', learningRate: 1e-12 }, validationData: { x, y } },
    network,
  );
  const epoch = events.find((event) => event.type === 'epoch')!;
  assert.ok(Math.abs(epoch.validationLoss! - last) < 1e-6);
});

test('validation preserves the states of a stateful model', async () => {
  const data = waves(8);
  const options = { ...common, ...data, batchSize: 4, epochs: 3 };
  const withValidation = forecaster({ stateful: true });
  await fit(withValidation, { ...options, validationData: waves(4) });
  const withoutValidation = forecaster({ stateful: true });
  await fit(withoutValidation, options);
  assert.deepEqual(weightsOf(withValidation), weightsOf(withoutValidation));
  const evaluated = forecaster({ stateful: true });
  await evaluate(evaluated, waves(8), { loss: 'mse', batchSize: 4 });
  assert.deepEqual(evaluated.carriedStates, { tensors: {}, parts: {} });
});
