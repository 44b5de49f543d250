/**
 * Checkpoints: after resuming from one, a run must end with weights that are bit-identical to those of an uninterrupted
 * run.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { setThreads, tensor } from '@unroll/core';
import { readSafetensors } from '@unroll/core/internal';
import { batchNormalization, dense, dropout, lstm, type Network, sequential } from '@unroll/nn';
import {
  type Callback,
  type Checkpoint,
  decodeCheckpoint,
  earlyStopping,
  encodeCheckpoint,
  type FitOptions,
  fit,
  type History,
  type RunSnapshot,
  reduceOnPlateau,
  train,
} from '@unroll/train';
import { checkpoints, csvLog, readCheckpoint } from '@unroll/train/node';
import { fails } from './fails.js';
import { forecaster, waves, weightsOf } from './small-model.js';

const { x, y } = waves();

/** Options with an optimizer of two slots, accumulation, metrics, a schedule and averaged weights. */
const options = {
  ...{
    x,
    y,
    loss: 'mse',
    batchSize: 8,
    accumulate: 2,
    epochs: 3,
    metrics: ['mae', 'r2'],
    validationSplit: 0.2,
  },
  optimizer: {
    name: 'adam',
    learningRate: { name: 'exponentialDecay', initialLearningRate: 0.02, decaySteps: 5, decayRate: 0.9 },
  },
  ...{ clip: { globalNorm: 0.5 }, average: { momentum: 0.9 }, seed: 11 },
} as const satisfies Partial<FitOptions>;

/** Creates a model with dropout and batch statistics. */
const network = (): Network =>
  sequential([
    lstm({ units: 4, returnSequences: true, dropout: 0.2, recurrentDropout: 0.2 }),
    batchNormalization(),
    lstm({ units: 3 }),
    dropout({ rate: 0.3 }),
    dense({ units: 1 }),
  ]);

/** Returns a snapshot of a run after the given event; the run then ends. */
async function snapshotAt(event: number): Promise<RunSnapshot> {
  const run = train(network(), options);
  let seen = 0;
  for await (const _ of run) if (++seen === event) return (await run.snapshot())!;
  throw new Error(`the run has ${seen} events`);
}

function folderFor(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'unroll-checkpoint-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

describe('snapshots and resumed runs', () => {
  test('a run resumed from a snapshot at any event ends like the uninterrupted one', async () => {
    const uninterrupted = network();
    const epochEvents: unknown[] = [];
    for await (const event of train(uninterrupted, options))
      if (event.type === 'epoch') epochEvents.push({ ...event, seconds: 0 });
    // 3 epochs, each with 4 step events and an epoch event.
    for (let event = 1; event <= 15; event++) {
      const resume = await snapshotAt(event);
      const resumedNetwork = network();
      const later: unknown[] = [];
      for await (const seen of train(resumedNetwork, { ...options, resume })) {
        if (seen.type === 'epoch') later.push({ ...seen, seconds: 0 });
      }
      assert.deepEqual(weightsOf(resumedNetwork), weightsOf(uninterrupted), `from event ${event}`);
      assert.deepEqual(later, epochEvents.slice(epochEvents.length - later.length), `from event ${event}`);
    }
  });

  test('a decoded checkpoint equals the checkpoint that was encoded', async () => {
    const run = await snapshotAt(7);
    const callbacks = {
      'a/b c': { json: { best: Number.POSITIVE_INFINITY, odd: [Number.NaN, -0, null] } },
      weights: { json: null, tensors: { 'lstm/kernel': { shape: [1, 2], values: Float32Array.of(-0, 3) } } },
    };
    const history = {
      epochs: 1,
      loss: [0.1],
      validationLoss: [],
      metrics: {},
      completed: false,
      reason: null,
    };
    const checkpoint: Checkpoint = { run, callbacks, history };
    assert.deepEqual(decodeCheckpoint(encodeCheckpoint(checkpoint)), checkpoint);
  });

  test('a snapshot contains the position, the counts, all tensors, the metrics and the environment', async () => {
    const run = await snapshotAt(6);
    assert.deepEqual(run.cursor, { epoch: 2, step: 1, finished: false });
    // One batch of 8 examples is accumulated; checkpoint files call accumulated gradients and their counts `gathered`.
    assert.deepEqual(run.stepper, { updates: 2, gathered: 1, gatheredCount: 8, averaged: 2 });
    const names = Object.keys(run.tensors);
    for (const name of [
      'weights/lstm/kernel',
      'weights/batch_normalization/moving_mean',
      'average',
      'gathered',
    ]) {
      assert.ok(names.includes(name), `${name} in ${names}`);
    }
    assert.deepEqual(names.filter((name) => name.startsWith('optimizer/')).length, 2);
    assert.equal(run.scores.metrics.length, 2);
    assert.ok(run.environment.threads >= 1 && run.environment.build !== '');
  });

  test('a resumed run continues with the carried states', async () => {
    const data = {
      ...waves(16),
      batchSize: 4,
      shuffle: false,
      loss: 'mse',
      optimizer: 'adam',
      epochs: 2,
    } as const;
    const uninterrupted = forecaster({ stateful: true });
    await fit(uninterrupted, data);
    const run = train(forecaster({ stateful: true }), data);
    let resume: RunSnapshot | null = null;
    for (let event = 0; event < 3; event++) {
      await run.next();
      resume = await run.snapshot();
    }
    await run.return();
    assert.deepEqual(
      Object.keys(resume!.tensors).filter((name) => name.startsWith('carried/')),
      ['carried/lstm/h', 'carried/lstm/c'],
    );
    const resumedNetwork = forecaster({ stateful: true });
    for await (const _ of train(resumedNetwork, { ...data, resume: resume! }));
    assert.deepEqual(weightsOf(resumedNetwork), weightsOf(uninterrupted));
  });

  test('a resumed run continues at the right batch of an iterable, even of a generator object, which can be iterated only once', async () => {
    const endlessBatches = function* (): Generator<{ x: number[][][]; y: number[][] }> {
      for (let i = 0; ; i++)
        yield {
          x: [
            [[i % 3], [1]],
            [[0], [i % 2]],
          ],
          y: [[i % 5], [1]],
        };
    };
    const threeBatches = function* (): Generator<{ x: number[][][]; y: number[][] }> {
      let left = 3;
      for (const batch of endlessBatches())
        if (left-- > 0) yield batch;
        else return;
    };
    const forms = [
      () => ({ batches: endlessBatches(), stepsPerEpoch: 3 }),
      () => ({ batches: threeBatches }),
    ];
    for (const form of forms) {
      const runOptions = { loss: 'mse', optimizer: 'adam', epochs: 3 } as const;
      const uninterrupted = forecaster();
      await fit(uninterrupted, { ...runOptions, ...form() });
      for (const events of [2, 4, 5, 7]) {
        const run = train(forecaster(), { ...runOptions, ...form() });
        for (let event = 0; event < events; event++) await run.next();
        const resume = (await run.snapshot())!;
        await run.return();
        const resumedNetwork = forecaster();
        for await (const _ of train(resumedNetwork, { ...runOptions, ...form(), resume }));
        assert.deepEqual(weightsOf(resumedNetwork), weightsOf(uninterrupted), `after ${events} events`);
      }
    }
  });
});

describe('fit with checkpointDir', () => {
  test('aborts, resumes, and returns the complete history', async (t) => {
    const checkpointDir = join(folderFor(t), 'made/here');
    const callbacks = (): Callback[] => [
      earlyStopping({ patience: 2 }),
      reduceOnPlateau({ patience: 1, factor: 0.5 }),
      csvLog(join(checkpointDir, 'log.csv')),
    ];
    const runOptions = { ...options, epochs: 12, optimizer: { name: 'sgd', learningRate: 0.7 } } as const;
    const uninterrupted = network();
    const history = await fit(uninterrupted, { ...runOptions, callbacks: callbacks() });
    let resumedHistory: History | null = null;
    const firstNetwork = network();
    for (let round = 0; resumedHistory === null || resumedHistory.reason === 'aborted'; round++) {
      const abort = new AbortController();
      let steps = 0;
      const onEvent: FitOptions['onEvent'] = (event) => {
        if (event.type === 'step' && ++steps === 3) abort.abort();
      };
      const resumeOptions = {
        ...runOptions,
        callbacks: callbacks(),
        checkpointDir,
        resume: true,
        onEvent,
        signal: abort.signal,
      };
      resumedHistory = await fit(round % 2 ? network() : firstNetwork, resumeOptions);
      const last = await readCheckpoint(join(checkpointDir, 'last.safetensors'));
      if (resumedHistory.reason === 'aborted') continue;
      assert.equal(last!.run.cursor.finished, resumedHistory.reason === 'stopped');
    }
    assert.deepEqual(resumedHistory, history);
    const finished = network();
    const historyAfterEnd = await fit(finished, {
      ...runOptions,
      callbacks: callbacks(),
      checkpointDir,
      resume: true,
    });
    assert.deepEqual(historyAfterEnd, history);
    assert.deepEqual(weightsOf(finished), weightsOf(uninterrupted));
    const lines = readFileSync(join(checkpointDir, 'log.csv'), 'utf8').trimEnd().split('\n');
    assert.deepEqual(
      lines.slice(1).map((line) => Number(line.split(',')[0])),
      Array.from(history.loss, (_, i) => i + 1),
    );
  });

  test('if a callback has stopped a run, a run resumed from its last checkpoint emits only an end event', async () => {
    const runOptions = { ...options, epochs: 20, optimizer: { name: 'sgd', learningRate: 0.7 } } as const;
    let atStop: Checkpoint | null = null;
    const keeper: Callback = {
      name: 'keeper',
      onEvent: () => {},
      afterEvent: async (event, _run, snapshot) => {
        if (event.type === 'epoch') atStop = structuredClone(await snapshot());
      },
    };
    const uninterrupted = network();
    const history = await fit(uninterrupted, {
      ...runOptions,
      callbacks: [earlyStopping({ patience: 2 }), keeper],
    });
    assert.equal(history.reason, 'stopped');
    const seen: string[] = [];
    const resumedNetwork = network();
    const callbacks = [earlyStopping({ patience: 2 })];
    const onEvent: FitOptions['onEvent'] = (event) => void seen.push(event.type);
    const resumed = await fit(resumedNetwork, { ...runOptions, callbacks, resume: atStop!, onEvent });
    assert.deepEqual(seen, ['end']);
    assert.deepEqual(resumed, history);
    assert.deepEqual(weightsOf(resumedNetwork), weightsOf(uninterrupted));
  });

  test('continues a finished run with a larger number of epochs', async (t) => {
    const checkpointDir = folderFor(t);
    const runOptions = { ...options, average: undefined } as unknown as FitOptions;
    const uninterrupted = network();
    await fit(uninterrupted, { ...runOptions, epochs: 4 });
    await fit(network(), { ...runOptions, epochs: 2, checkpointDir });
    const longer = network();
    const history = await fit(longer, { ...runOptions, epochs: 4, checkpointDir, resume: true });
    assert.equal(history.loss.length, 4);
    assert.deepEqual(weightsOf(longer), weightsOf(uninterrupted));
  });

  test('without a checkpoint, resume: true starts a run; no partial files remain', async (t) => {
    const checkpointDir = folderFor(t);
    const withResume = network();
    await fit(withResume, { ...options, checkpointDir, checkpointSteps: 1, resume: true });
    const withoutResume = network();
    await fit(withoutResume, options);
    assert.deepEqual(weightsOf(withResume), weightsOf(withoutResume));
    assert.deepEqual(readdirSync(checkpointDir), ['last.safetensors']);
  });

  test('stores additional data of the model unchanged', async (t) => {
    const checkpointDir = folderFor(t);
    const extra = { scaler: { kind: 'standard', mean: 280.3, deviation: 119.9 } };
    await fit(network(), { ...options, checkpointDir, extra });
    assert.deepEqual((await checkpoints({ directory: checkpointDir }).load())!.run.extra, extra);
  });
});

describe('resuming from a checkpoint that does not match the run', () => {
  const cases: [string, Partial<FitOptions>, Network, RegExp][] = [
    ['another batch size', { batchSize: 4 }, network(), /batchSize must be 8, got 4/],
    ['another seed', { seed: 12 }, network(), /seed must be 11, got 12/],
    ['another optimizer', { optimizer: 'sgd' }, network(), /optimizer must be adam, got sgd/],
    ['fewer examples', { ...waves(20) }, network(), /examples must be 32, got 16/],
    [
      'another model',
      {},
      forecaster(),
      /belongs to another model: lstm\/kernel, of shape \[1, 20\] in this model, has shape \[1, 16\]/,
    ],
  ];
  for (const [name, otherOptions, model, message] of cases) {
    test(`rejects ${name}`, async () => {
      const resume = await snapshotAt(3);
      const resumeRun = async (): Promise<void> => {
        for await (const _ of train(model, { ...options, ...otherOptions, resume } as Parameters<
          typeof train
        >[1]));
      };
      await assert.rejects(resumeRun, fails('state', message));
    });
  }

  test('warns about other data, another number of threads and another build of the backend', async () => {
    const resume = await snapshotAt(3);
    const values = x.dataSync();
    values[0]! += 1;
    const changed = { ...options, x: tensor(values, x.shape) };
    const environment = { ...resume.environment, threads: resume.environment.threads + 1 };
    const codes: string[] = [];
    for await (const event of train(network(), { ...changed, resume: { ...resume, environment } })) {
      if (event.type === 'warning') codes.push(event.code, event.message);
    }
    assert.deepEqual([codes[0], codes[2]], ['environment-changed', 'data-changed']);
    assert.match(codes[1]!, /Results are the same; only the speed differs/);
    const other = { ...resume.environment, build: 'native sse9' };
    const run = train(network(), { ...options, resume: { ...resume, environment: other } });
    const { value } = await run.next();
    assert.match(
      (value as { message: string }).message,
      /made on native sse9.*last bits of its results will differ/s,
    );
    await run.return();
    setThreads(resume.environment.threads);
  });

  test('rejects a damaged file with a format error', async (t) => {
    const directory = folderFor(t);
    const file = join(directory, 'last.safetensors');
    const resume = (): Promise<History> =>
      fit(network(), { ...options, checkpointDir: directory, resume: true });
    writeFileSync(file, 'not a checkpoint');
    await assert.rejects(resume(), fails('format', /not a valid safetensors file/));
    rmSync(file);
    await fit(network(), { ...options, checkpointDir: directory });
    const bytes = readFileSync(file);
    assert.ok(readSafetensors(bytes).tensors.size > 5);
    writeFileSync(file, bytes.subarray(0, bytes.length - 1));
    await assert.rejects(resume(), fails('format', /not a valid safetensors file/));
    assert.ok(existsSync(file), 'the damaged file must not be deleted');
  });
});
