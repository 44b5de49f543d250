/**
 * The training loop: `train` is an async generator of what happens, and `fit` a thin consumer of it. It yields to the
 * event loop after every step, so that a page stays alive and an AbortSignal is heard.
 */
import {
  type ForwardContext,
  type Model,
  RandomStream,
  ready,
  type Shape,
  scope,
  type Tensor,
  UnrollError,
} from '@unroll/core';
import { checkCount, flowsOf, inferenceContext, nextTurn, takeRows } from '@unroll/core/internal';
import { batchIndices, type Examples, type Rows, toRows } from './batches.js';
import type { Loss } from './losses.js';
import type { Optimizer } from './optimizers.js';
import { asColumn, type Clip, Stepper } from './step.js';

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
        addLoss: () => {}, // the stepper puts its own here
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

async function validate(model: Model, rows: Rows, loss: Loss, batchSize: number): Promise<number> {
  let total = 0;
  for (const batch of batchIndices(rows.count, batchSize, null)) {
    const value = scope(() => {
      const inputs = rows.inputs.map((table) => takeRows(table, batch));
      let added = 0;
      const context = { ...inferenceContext(), addLoss: (term: Tensor) => void (added += term.item()) };
      const { value: output, mask } = model.forward(flowsOf(inputs, null), context)[0]!;
      return added + loss.compute(output, asColumn(takeRows(rows.target, batch), output.shape), mask).item();
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
