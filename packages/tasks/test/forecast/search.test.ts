// The choice of the number of epochs. With a single fold, the network of the search also calibrates the intervals, so it must be
// the network that a separate training with the chosen number of epochs gives.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RandomStream } from '@unroll/core';
import { makeTable, type Table } from '@unroll/data';
import { type FittedNetwork, forecast, panelFromTable, type RunEvent, type RunStore } from '@unroll/tasks';
import {
  CheckpointedTrainer,
  fitNetwork,
  makeHead,
  networkPlanOf,
  PanelEncoder,
  planForecast,
  searchEpochs,
  validationFolds,
} from '@unroll/tasks/internal';
import { losses } from '@unroll/train';

const smallCoefficient = (): number => 0.2;

/**
 * An AR(1) process with the coefficient `coefficientAt(row)`. With the small default, it is mostly noise, which networks soon
 * overfit. From about 2,500 rows on, there is a single fold.
 */
function seriesTable(rows: number, coefficientAt: (row: number) => number = smallCoefficient): Table {
  const noise = new RandomStream(3, 'series').normal(rows);
  let value = 0;
  const values = Array.from(noise, (each, row) => (value = coefficientAt(row) * value + each));
  return makeTable({ source: 's', names: ['y'], cells: [values] });
}
const [LONG, SHORT] = [3000, 160];
const settings = { target: 'y', horizon: 3, season: 1, window: 24 };

/** Runs a search. The default learning rate is high, so that the network overfits within the 12 epochs. */
async function search(
  rows: number,
  {
    coefficientAt = smallCoefficient as (row: number) => number,
    maxEpochs = 12,
    learningRate = 0.1,
    head = makeHead('point', []),
  } = {},
) {
  const panel = panelFromTable(seriesTable(rows, coefficientAt), { target: 'y' });
  const plan = planForecast(panel, settings);
  const networkPlan = networkPlanOf(plan, plan.representations[0]!);
  const trainer = new CheckpointedTrainer(null);
  const sizes = { cell: 'lstm' as const, units: 32, layers: 1 };
  const options = { ...sizes, seed: 0, learningRate, head, trainer };
  const limits = { maxEpochs, deadline: Number.POSITIVE_INFINITY };
  const folds = validationFolds(panel, networkPlan, plan.cut);
  const run = searchEpochs(panel, networkPlan, folds, options, limits);
  const validationLosses: number[] = [];
  let next = await run.next();
  for (; !next.done; next = await run.next())
    if (next.value.type === 'epoch') validationLosses.push(next.value.validationLoss!);
  const trainSeparately = async (epochs: number): Promise<FittedNetwork> => {
    const training = fitNetwork(panel, networkPlan, { cut: folds[0]!.cut }, options, epochs);
    let step = await training.next();
    while (!step.done) step = await training.next();
    return step.value;
  };
  return { choice: next.value, validationLosses, folds, trainSeparately };
}

const weightsOf = async ({ model }: FittedNetwork): Promise<number[][]> =>
  Promise.all(model.parameters.map(async (parameter) => [...(await parameter.data())]));

test('the memory of the examples is freed after each training run', async (t) => {
  const pairs = t.mock.method(PanelEncoder.prototype, 'pairs');
  const { trainSeparately } = await search(LONG, { maxEpochs: 1 });
  await trainSeparately(1);
  const lengths = pairs.mock.calls.map(({ result }) => {
    const { inputs, targets, future } = result!;
    return [inputs, targets, future].map(({ buffer }) => buffer.byteLength);
  });
  // The training and validation examples of the search, and the training examples.
  assert.deepEqual(lengths, Array(3).fill([0, 0, 0]));
});

test('the network of a single fold has the weights of a separate training with the chosen number of epochs', async () => {
  const { choice, validationLosses, folds, trainSeparately } = await search(LONG);
  assert.equal(folds.length, 1);
  assert.equal(validationLosses.length, 12);
  assert.equal(choice.epochs, 1 + validationLosses.indexOf(Math.min(...validationLosses)));
  assert.ok(choice.epochs < 12, `all epochs improve: ${validationLosses}`);
  assert.equal(choice.network?.epochs, choice.epochs);
  const weights = await weightsOf(choice.network!);
  assert.deepEqual(weights, await weightsOf(await trainSeparately(choice.epochs)));
  assert.notDeepEqual(weights, await weightsOf(await trainSeparately(12)));
});

// Squared error rises faster than the Huber loss of the head.
const squaredErrorHead = { ...makeHead('point', []), loss: () => losses.mse() };

test('stops soon if the loss rises above that of the first epoch', async () => {
  // The more a network learns from the training rows, the worse it is in the validation rows, the last fifth. With the low
  // learning rate, the curves of all processors are nearly equal.
  const coefficientAt = (row: number): number => (row < 0.79 * LONG ? 0.95 : 0.3);
  const options = { coefficientAt, learningRate: 0.001, maxEpochs: 40, head: squaredErrorHead };
  const { choice, validationLosses: curve } = await search(LONG, options);
  const [best, last] = [curve[choice.epochs - 1]!, curve.at(-1)!];
  assert.ok(choice.epochs > 1, `the first epoch is the best: ${curve}`);
  assert.ok(last > curve[0]! && last > 1.03 * best, `the loss does not rise: ${curve}`);
  assert.equal(curve.length, choice.epochs + 3, `${curve}`);
});

test('continues while the loss is at most that of the first epoch', async () => {
  const coefficientAt = (row: number): number => (row < 0.75 * LONG ? 0.8 : -0.8);
  const options = { coefficientAt, maxEpochs: 40, head: squaredErrorHead };
  const { choice, validationLosses: curve } = await search(LONG, options);
  const limit = Math.max(curve[0]!, 1.03 * curve[choice.epochs - 1]!);
  const before = curve.slice(choice.epochs + 2, -1);
  assert.ok(
    before.every((loss) => loss <= limit),
    `an earlier epoch has a loss above the limit: ${curve}`,
  );
  const isLast = curve.length === Math.min(40, choice.epochs + 10);
  assert.ok(isLast || curve.at(-1)! > limit, `stops too early: ${curve}`);
});

test('stops soon with the loss of the default head, too', async () => {
  const coefficientAt = (row: number): number => (row < 0.79 * LONG ? 0.9 : -0.9);
  const { choice, validationLosses: curve } = await search(LONG, { coefficientAt, maxEpochs: 40 });
  assert.equal(choice.epochs, 1);
  assert.equal(curve.length, 4);
});

test('with several folds, the search returns no network', async () => {
  const { choice, validationLosses, folds } = await search(SHORT);
  assert.equal(folds.length, 3);
  assert.equal(validationLosses.length, 36);
  assert.equal(choice.network, null);
});

test('calibration networks are trained only with several folds', async () => {
  const stagesOf = async (rows: number): Promise<string[]> => {
    const stages: string[] = [];
    const onEvent = (event: RunEvent) =>
      void (event.event === 'stage' && event.stage !== 'final' && stages.push(event.stage));
    await forecast(seriesTable(rows), { ...settings, units: 4, epochs: 2, baselines: [], onEvent });
    return stages;
  };
  const twice = (...names: string[]) => names.flatMap((name) => [name, name]);
  assert.deepEqual(await stagesOf(LONG), twice('search', 'backtest'));
  assert.deepEqual(await stagesOf(SHORT), twice('search', 'calibrate', 'calibrate', 'calibrate', 'backtest'));
});

for (const stopAt of ['in the second epoch of the search', 'after the search'] as const) {
  test(`a run of a single fold that is interrupted ${stopAt} resumes with the same forecast`, async () => {
    const files = new Map<string, Uint8Array>();
    const store: RunStore = {
      read: async (name) => files.get(name) ?? null,
      write: async (name, bytes) => void files.set(name, bytes),
    };
    const options = { ...settings, units: 4, epochs: 3, baselines: [], levels: [0.8] };
    const table = seriesTable(LONG);
    const { forecasts, backtest } = await forecast(table, options);
    const controller = new AbortController();
    const isReached = (event: RunEvent): boolean =>
      stopAt === 'after the search'
        ? event.event === 'step' && event.stage === 'backtest'
        : event.event === 'step' && event.stage === 'search' && event.epoch === 2;
    const onEvent = (event: RunEvent) => void (isReached(event) && controller.abort(new Error('stopped')));
    await assert.rejects(
      forecast(table, { ...options, store, signal: controller.signal, onEvent }),
      /stopped/,
    );
    assert.ok(files.size > 0);
    const resumed = await forecast(table, { ...options, store });
    assert.deepEqual(resumed.forecasts, forecasts);
    assert.deepEqual(resumed.backtest, backtest); // contains the network even if the forecast is made by a baseline
  });
}
