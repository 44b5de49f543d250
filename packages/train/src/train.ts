/**
 * The training loop: `train` is an async generator of what happens, and `fit` a thin consumer of it. It yields to the
 * event loop after every step, so that a page stays alive and an AbortSignal is heard.
 */
import {
  type Flow,
  type ForwardContext,
  type Model,
  RandomStream,
  ready,
  scope,
  type Shape,
  type Tensor,
  UnrollError,
  valueError,
} from '@unroll/core';
import { hostTensor } from '@unroll/core/internal';
import { batchIndices, type Examples, type Rows, takeRows, toRows } from './batches.js';
import type { Loss } from './losses.js';
import type { Optimizer } from './optimizers.js';
import { type Clip, Stepper } from './step.js';

export interface TrainOptions extends Examples {
  loss: Loss;
  optimizer: Optimizer;
  /** Passes over the data. Default 1. */
  epochs?: number;
  /** Examples per step. Default 32. */
  batchSize?: number;
  /** A new order of the examples in every epoch. Default true. */
  shuffle?: boolean;
  /** Seed of shuffles and dropout. Default 0. */
  seed?: number;
  /** Default none. */
  clip?: Clip;
  /** Examples to measure the loss on after every epoch. */
  validationData?: Examples;
  /** Stops the run after the current step. */
  signal?: AbortSignal;
}

export interface StepEvent {
  type: 'step';
  epoch: number;
  epochs: number;
  step: number;
  steps: number;
  loss: number;
  gradientNorm: number;
  clipped: boolean;
  /** Training examples per second, since the epoch began. */
  sequencesPerSecond: number;
}

export interface EpochEvent {
  type: 'epoch';
  epoch: number;
  epochs: number;
  /** Mean over the epoch's examples, while the weights were changing. */
  loss: number;
  validationLoss?: number;
  seconds: number;
}

export interface EndEvent {
  type: 'end';
  /** False when the signal stopped the run. */
  completed: boolean;
}

export type TrainEvent = StepEvent | EpochEvent | EndEvent;

/** What {@link fit} returns: one entry per epoch. */
export interface History {
  loss: number[];
  validationLoss: number[];
  completed: boolean;
}

/** Trains `model` and tells of every step and epoch; epochs and steps count from 1. */
export async function* train(model: Model, options: TrainOptions): AsyncGenerator<TrainEvent, void, void> {
  await ready();
  const { epochs = 1, batchSize = 32, shuffle = true, seed = 0, clip = null, signal } = options;
  checkCount('epochs', epochs);
  checkCount('batchSize', batchSize);
  const rows = toRows(options);
  const validation = options.validationData ? toRows(options.validationData) : null;
  buildFor(model, rows);
  const stepper = new Stepper(model, options.optimizer, options.loss, clip);
  const random = new RandomStream(seed, 'train');
  const steps = Math.ceil(rows.count / batchSize);
  for (let epoch = 1; epoch <= epochs; epoch++) {
    const began = performance.now();
    let step = 0;
    let seen = 0;
    let total = 0;
    for (const batch of batchIndices(
      rows.count,
      batchSize,
      shuffle ? random.child('shuffle', epoch) : null,
    )) {
      step++;
      const after: (() => void)[] = [];
      const context: ForwardContext = {
        training: true,
        random: random.child('dropout', epoch, step),
        afterStep: (work) => void after.push(work),
      };
      const inputs = rows.inputs.map((table) => takeRows(table, batch));
      const result = stepper.gradients(inputs, takeRows(rows.target, batch), context);
      if (!Number.isFinite(result.loss) || !Number.isFinite(result.gradientNorm)) {
        throw new UnrollError(
          'nan',
          `The ${Number.isFinite(result.loss) ? 'gradient' : 'loss'} is not finite at epoch ${epoch}, step ${step}. ` +
            'Clip the gradients, lower the learning rate, or look for missing values and unscaled columns in the data.',
          { epoch, step, ...result },
        );
      }
      await nextTurn();
      stepper.update(result);
      for (const work of after) work();
      seen += batch.length;
      total += result.loss * batch.length;
      const sequencesPerSecond = (seen * 1000) / Math.max(performance.now() - began, 1e-3);
      yield { type: 'step', epoch, epochs, step, steps, ...result, sequencesPerSecond };
      if (signal?.aborted) {
        yield { type: 'end', completed: false };
        return;
      }
    }
    const event: EpochEvent = { type: 'epoch', epoch, epochs, loss: total / rows.count, seconds: 0 };
    if (validation) event.validationLoss = await validate(model, validation, options.loss, batchSize);
    event.seconds = (performance.now() - began) / 1000;
    yield event;
  }
  yield { type: 'end', completed: true };
}

/** Trains `model` to the end, telling `onEvent` what happens. */
export async function fit(
  model: Model,
  options: TrainOptions & { onEvent?: (event: TrainEvent) => void },
): Promise<History> {
  const history: History = { loss: [], validationLoss: [], completed: false };
  for await (const event of train(model, options)) {
    options.onEvent?.(event);
    if (event.type === 'epoch') {
      history.loss.push(event.loss);
      if (event.validationLoss !== undefined) history.validationLoss.push(event.validationLoss);
    } else if (event.type === 'end') history.completed = event.completed;
  }
  return history;
}

export interface PredictOptions {
  /** Examples computed at once. Default 256. */
  batchSize?: number;
}

/** The model's outputs for x [N, ...]: a tensor [N, ...]. */
export async function predict(
  model: Model,
  x: Tensor | readonly Tensor[],
  { batchSize = 256 }: PredictOptions = {},
): Promise<Tensor> {
  await ready();
  checkCount('batchSize', batchSize);
  const first = (Array.isArray(x) ? x[0] : x) as Tensor;
  const rows = toRows({ x, y: first });
  const parts: Tensor[] = [];
  for (const batch of batchIndices(rows.count, batchSize, null)) {
    parts.push(scope(() => inference(model, rows, batch).value));
    await nextTurn();
  }
  if (parts.length === 1) return parts[0]!;
  const values = parts.map((part) => part.dataSync());
  const all = new Float64Array(values.reduce((total, part) => total + part.length, 0));
  let at = 0;
  for (const part of values) {
    all.set(part, at);
    at += part.length;
  }
  const own = values[0] instanceof Float32Array ? Float32Array.from(all) : all;
  return hostTensor(own, [rows.count, ...parts[0]!.shape.slice(1)]);
}

function inference(model: Model, rows: Rows, batch: Uint32Array): Flow {
  const flows = rows.inputs.map((table) => ({ value: takeRows(table, batch), mask: null }));
  const context: ForwardContext = { training: false, random: new RandomStream(0), afterStep: () => {} };
  return model.forward(flows, context)[0]!;
}

async function validate(model: Model, rows: Rows, loss: Loss, batchSize: number): Promise<number> {
  let total = 0;
  for (const batch of batchIndices(rows.count, batchSize, null)) {
    const value = scope(() => {
      const { value: output, mask } = inference(model, rows, batch);
      return loss.compute(output, takeRows(rows.target, batch), mask).item();
    });
    total += value * batch.length;
    await nextTurn();
  }
  return total / rows.count;
}

function buildFor(model: Model, rows: Rows): void {
  const shapes: Shape[] = rows.inputs.map((table) => [-1, ...table.shape]);
  model.build(shapes);
}

function checkCount(name: string, value: number): void {
  if (!Number.isInteger(value) || value < 1)
    throw valueError(`${name} is a whole number from 1, got ${value}.`);
}

/** Lets the event loop take a turn: timers, input, messages. */
function nextTurn(): Promise<void> {
  const host = globalThis as { setImmediate?: (work: () => void) => unknown };
  return new Promise((resolve) => {
    if (host.setImmediate) host.setImmediate(resolve);
    else {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => {
        port1.close();
        resolve();
      };
      port2.postMessage(null);
    }
  });
}
