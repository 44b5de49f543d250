/** Callbacks: their effect on a run, and their output. */
import assert from 'node:assert/strict';
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { crc32c } from '@unroll/core/internal';
import {
  type Callback,
  type EpochEvent,
  earlyStopping,
  type FitOptions,
  fit,
  type History,
  progress,
  type ReduceOnPlateauOptions,
  type RunControl,
  reduceOnPlateau,
  type TrainEvent,
} from '@unroll/train';
import { maskedCrc } from '@unroll/train/internal';
import { checkpoints, csvLog, readCheckpoint, tensorBoard } from '@unroll/train/node';
import { fails } from './fails.js';
import { forecaster, waves, weightsOf } from './small-model.js';

const { x, y } = waves();
const common = { x, y, loss: 'mse', optimizer: 'adam', batchSize: 16 } as const;

function folderFor(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'unroll-callbacks-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

const epochOf = (epoch: number, validationLoss: number, metrics = {}): EpochEvent => ({
  ...{ type: 'epoch', epoch, epochs: 99, loss: 1, metrics, validationLoss, learningRate: 0.1, seconds: 1 },
});

/** Passes epochs to a callback. Returns the number of the epoch after which it stopped the run, or null. */
async function stoppedAfter(callback: Callback, losses: readonly number[]): Promise<number | null> {
  let stopped = false;
  const run: RunControl = {
    model: forecaster(),
    stop: () => void (stopped = true),
    weights: async () => ({}),
    gradients: async () => ({}),
    learningRateScale: 1,
    parameters: [],
  };
  for (const [i, loss] of losses.entries()) {
    await callback.onEvent(epochOf(i + 1, loss), run);
    if (stopped) return i + 1;
  }
  return null;
}

describe('earlyStopping', () => {
  const losses = [5, 4, 3, 3.5, 3.2, 2.9, 3.3, 3.1, 3];
  const cases: [string, Parameters<typeof earlyStopping>[0], number | null][] = [
    ['patience 0: stops at the first epoch without an improvement', {}, 4],
    ['patience 2: stops at the second epoch in a row without an improvement', { patience: 2 }, 5],
    ['patience 3: an improvement restarts the count', { patience: 3 }, 9],
    ['patience 4: does not stop', { patience: 4 }, null],
    ['minDelta: 2.9 is no improvement on 3', { patience: 3, minDelta: 0.2 }, 6],
    ['startFromEpoch 3: ignores the first three epochs', { startFromEpoch: 3 }, 7],
    ['baseline 2: higher losses are not improvements', { baseline: 2, patience: 2 }, 2],
    ['mode max: a lower value is not an improvement', { mode: 'max' }, 2],
  ];
  for (const [name, options, expected] of cases) {
    test(name, async () => assert.equal(await stoppedAfter(earlyStopping(options), losses), expected));
  }

  test('NaN is not an improvement', async () => {
    assert.equal(await stoppedAfter(earlyStopping({ patience: 2 }), [3, Number.NaN, Number.NaN]), 3);
  });

  test('restores the weights of the best epoch, unless the run is aborted', async () => {
    const divergingOptions = {
      ...common,
      optimizer: { name: 'sgd', learningRate: 2 },
      epochs: 12,
      validationSplit: 0.5,
    } as const;
    const run = async (
      callback: Callback,
      signal?: AbortSignal,
    ): Promise<[History, number[][], number[]]> => {
      const network = forecaster();
      const weightsByEpoch: number[][] = [];
      const recordWeights = (event: TrainEvent): void =>
        void (event.type === 'epoch' && weightsByEpoch.push(weightsOf(network)));
      const history = await fit(network, {
        ...divergingOptions,
        callbacks: [callback, recordWeights],
        ...(signal && { signal }),
      } as FitOptions);
      return [history, weightsByEpoch, weightsOf(network)];
    };
    const [history, weightsByEpoch, final] = await run(earlyStopping({ patience: 100 }));
    const best = history.validationLoss.indexOf(Math.min(...history.validationLoss));
    assert.notEqual(best, weightsByEpoch.length - 1, 'the last epoch must not be the best one');
    assert.deepEqual(final, weightsByEpoch[best]);
    const [, weightsWithoutRestore, last] = await run(
      earlyStopping({ patience: 100, restoreBestWeights: false }),
    );
    assert.deepEqual(last, weightsWithoutRestore.at(-1));
    const controller = new AbortController();
    const abortLate: Callback = {
      ...earlyStopping({ patience: 100 }),
      afterEvent: (event) => void (event.type === 'epoch' && event.epoch === 10 && controller.abort()),
    };
    const [, weightsBeforeAbort, aborted] = await run(abortLate, controller.signal);
    assert.deepEqual(aborted, weightsBeforeAbort.at(-1));
  });

  test('the error for an unknown metric lists the metrics of the run', async () => {
    const run = fit(forecaster(), { ...common, callbacks: [earlyStopping({ monitor: 'val_loss' })] });
    await assert.rejects(
      run,
      fails('value', /no metric "val_loss".*The metrics are loss; validationLoss needs/s),
    );
  });
});

describe('reduceOnPlateau', () => {
  /** Trains with constant weights and appends the learning rate of each epoch to `learningRates`. */
  const recordRates = async (options: ReduceOnPlateauOptions, learningRates: number[]): Promise<void> => {
    const callback = reduceOnPlateau({ monitor: 'loss', ...options });
    await fit(forecaster(), {
      ...{ ...common, epochs: 6, optimizer: { name: 'sgd', learningRate: 1e-9 } },
      callbacks: [
        callback,
        (event) => void (event.type === 'epoch' && learningRates.push(event.learningRate)),
      ],
    });
  };
  test('multiplies the rate by the factor after `patience` epochs without an improvement', async () => {
    const learningRates: number[] = [];
    await recordRates({ patience: 2, factor: 0.5 }, learningRates);
    const expected = [1, 1, 1, 0.5, 0.5, 0.25].map((share) => share * 1e-9);
    learningRates.forEach((rate, i) => {
      assert.ok(Math.abs(rate / expected[i]! - 1) < 1e-12, `${learningRates}`);
    });
  });
  test('does not go below the minimum rate', async () => {
    const learningRates: number[] = [];
    await recordRates({ patience: 1, factor: 0.1, minLearningRate: 5e-10 }, learningRates);
    assert.ok(learningRates.every((rate) => rate > 4.9999e-10));
    assert.ok(Math.abs(learningRates.at(-1)! / 5e-10 - 1) < 1e-12);
  });
});

describe('progress', () => {
  const outputOf = async (options: Parameters<typeof progress>[0], isTTY: boolean): Promise<string> => {
    let text = '';
    const stream = { isTTY, columns: 200, write: (part: string) => void (text += part) };
    await fit(forecaster(), {
      ...{ ...common, epochs: 2, validationSplit: 0.25, clip: { globalNorm: 1e-3 } },
      callbacks: [progress({ ...options, stream })],
    });
    return text;
  };
  test('without a terminal: one line per epoch', async () => {
    const text = await outputOf({}, false);
    assert.match(
      text,
      /^epoch 1\/2 {2}loss \S+ {2}validationLoss \S+ {2}clipped 100% {2}\S+ s {2}\S+ seq\/s\nepoch 2.*\n$/,
    );
    assert.ok(!text.includes('\x1b'));
  });
  test('on a terminal: a bar with remaining time, speed, loss, gradient norm and clipping', async () => {
    const text = await outputOf({}, true);
    assert.ok(text.startsWith('\r\x1b[Kepoch 1/2'), 'the line is overwritten');
    assert.match(
      text,
      /epoch 1\/2 \[=+\.+\] 1\/2 {2}eta \d+:\d\d {2}\S+ seq\/s {2}loss \S+ {2}grad \S+ {2}clipped 100%/,
    );
    assert.match(text, /epoch 2\/2 {2}loss [^\n]*\n$/);
  });
  test('prints the events as JSON', async () => {
    const events = (await outputOf({ format: 'ndjson' }, true))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as TrainEvent);
    assert.deepEqual(
      events.map(({ type }) => type),
      ['step', 'step', 'epoch', 'step', 'step', 'epoch', 'end'],
    );
  });
});

describe('csvLog and tensorBoard', () => {
  test('csvLog writes a line per epoch, and a new run replaces the file', async (t) => {
    const file = join(folderFor(t), 'logs/log.csv');
    for (let run = 0; run < 2; run++) {
      await fit(forecaster(), {
        ...common,
        epochs: 3,
        metrics: ['mae'],
        validationSplit: 0.25,
        callbacks: [csvLog(file)],
      });
    }
    const [header, ...lines] = readFileSync(file, 'utf8').trimEnd().split('\n');
    assert.equal(header, 'epoch,loss,mae,validationLoss,validationMae,learningRate');
    assert.deepEqual(
      lines.map((line) => line.split(',')[0]),
      ['1', '2', '3'],
    );
    assert.equal(lines[2]!.split(',').at(-1), '0.001');
  });

  test('a resumed run truncates the log to its length at the checkpoint', async (t) => {
    const folder = folderFor(t);
    const [file, board] = [join(folder, 'log.csv'), join(folder, 'board')];
    const options = { ...common, checkpointDir: join(folder, 'checkpoints'), validationSplit: 0.25 };
    const callbacks = (): Callback[] => [csvLog(file), tensorBoard(board)];
    await fit(forecaster(), { ...options, epochs: 2, callbacks: callbacks() });
    const events = ['train', 'validation'].map((part) => join(board, part, 'events.out.tfevents.unroll'));
    const before = events.map((path) => readFileSync(path));
    for (const path of [file, ...events]) appendFileSync(path, 'lost in a crash');
    await fit(forecaster(), { ...options, epochs: 3, resume: true, callbacks: callbacks() });
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    assert.deepEqual(
      lines.map((line) => line.split(',')[0]),
      ['epoch', '1', '2', '3'],
    );
    events.forEach((path, i) => {
      const bytes = readFileSync(path);
      assert.deepEqual(bytes.subarray(0, before[i]!.length), before[i]);
      assert.ok(bytes.length > before[i]!.length && !bytes.includes('lost'));
    });
  });

  test('a log that is too short is replaced by a new one, with a warning', async (t) => {
    const folder = folderFor(t);
    const file = join(folder, 'log.csv');
    const options = { ...common, checkpointDir: join(folder, 'checkpoints') };
    await fit(forecaster(), { ...options, epochs: 2, callbacks: [csvLog(file)] });
    writeFileSync(file, 'epoch');
    const warnings: string[] = [];
    const onWarning = (message: string): void => void warnings.push(message);
    await fit(forecaster(), { ...options, epochs: 3, resume: true, callbacks: [csvLog(file)], onWarning });
    assert.match(
      warnings.join(),
      /log\.csv has 5 bytes, but had \d+ bytes at the checkpoint\. A new log is started/,
    );
    assert.match(readFileSync(file, 'utf8'), /^epoch,loss,learningRate\n3,/);
  });

  test('tensorBoard writes records with valid checksums', async (t) => {
    const folder = folderFor(t);
    await fit(forecaster(), {
      ...common,
      epochs: 2,
      validationSplit: 0.25,
      callbacks: [tensorBoard(folder)],
    });
    for (const [part, count] of [
      ['train', 3],
      ['validation', 3],
    ] as const) {
      const bytes = readFileSync(join(folder, part, readdirSync(join(folder, part))[0]!));
      let records = 0;
      for (let offset = 0; offset < bytes.length; records++) {
        const length = Number(bytes.readBigUInt64LE(offset));
        assert.equal(bytes.readUInt32LE(offset + 8), maskedCrc(bytes.subarray(offset, offset + 8)));
        const data = bytes.subarray(offset + 12, offset + 12 + length);
        assert.equal(bytes.readUInt32LE(offset + 12 + length), maskedCrc(data));
        offset += 16 + length;
      }
      assert.equal(records, count);
      assert.ok(bytes.includes('brain.Event:2') && bytes.includes('epoch_loss'));
    }
  });

  test('CRC-32C has the values of RFC 3720', () => {
    assert.equal(crc32c(new TextEncoder().encode('123456789')), 0xe3069283);
    assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa);
    assert.equal(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43);
  });
});

test('checkpoints writes the last, the best and every n-th checkpoint', async (t) => {
  const directory = join(folderFor(t), 'checkpoints');
  const files = checkpoints({ directory, best: { monitor: 'loss', mode: 'max' }, everyEpochs: 2 });
  await fit(forecaster(), { ...common, epochs: 5, callbacks: [files] });
  assert.deepEqual(readdirSync(directory).sort(), [
    ...['best.safetensors', 'epoch-0002.safetensors', 'epoch-0004.safetensors', 'last.safetensors'],
  ]);
  assert.equal((await files.load())!.run.cursor.epoch, 6);
});

test('a resumed run overwrites the checkpoint `best` only after an epoch that is better than all before', async (t) => {
  const directory = folderFor(t);
  const run = async (epochs: number, resume: boolean): Promise<void> => {
    const files = checkpoints({ directory, best: { monitor: 'learningCurve' } });
    const values = [0, 5, 2, 4, 3];
    const curve: Callback = {
      name: 'curve',
      metrics: ['learningCurve'],
      onEvent: (event) => {
        if (event.type === 'epoch')
          Object.assign(event, { metrics: { learningCurve: values[event.epoch]! } });
      },
    };
    await fit(forecaster(), { ...common, epochs, resume, callbacks: [curve, files] });
  };
  await run(2, false);
  await run(4, true);
  const best = await readCheckpoint(join(directory, 'best.safetensors'));
  assert.equal(best!.run.cursor.epoch, 3, 'the end of epoch 2');
});

test('rejects two callbacks with the same name, and resume: true without a folder', async () => {
  const callbacks = [earlyStopping(), earlyStopping()];
  await assert.rejects(
    fit(forecaster(), { ...common, callbacks }),
    fails('value', /Two callbacks are named "earlyStopping"/),
  );
  await assert.rejects(fit(forecaster(), { ...common, resume: true }), fails('value', /needs checkpointDir/));
  assert.ok(!existsSync('last.safetensors'));
});
