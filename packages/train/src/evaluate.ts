/** Evaluation: computes the loss and metrics of a model on data, without training. */
import { type Model, ready, scope, type Tensor } from '@unroll/core';
import { checkOptions, inferenceContext, valuesOf, yieldIfDue } from '@unroll/core/internal';
import {
  type Batches,
  type BatchSource,
  type Examples,
  inputShapes,
  iterableSource,
  type PreparedBatch,
  rangeSource,
  toRange,
} from './batches.js';
import { withFreshStates } from './carried.js';
import type { MetricValues } from './events.js';
import {
  type BatchLoss,
  lossScalars,
  lossValues,
  Objective,
  type ObjectiveOptions,
  type OutputLoss,
} from './objective.js';
import { sequencesOf } from './pass.js';
import { type MetricOptions, Scores } from './scores.js';

export interface EvaluateOptions extends ObjectiveOptions, MetricOptions {
  /** Examples per batch; ignored if the data are already batches. Default 256. */
  batchSize?: number;
}

/** The loss, and every metric by its name. */
export type Evaluation = { loss: number } & Record<string, number>;

/** The results of {@link measure}, over all unmasked examples or steps. */
export interface LossAndMetrics {
  loss: number;
  metrics: MetricValues;
}

/**
 * Returns the loss and the metrics of a model on data. They are computed over all unmasked examples or steps, so they do
 * not depend on the batch size.
 * @param data all examples, or batches of them
 * @throws UnrollError `shape` if the data do not fit the model
 */
export async function evaluate(
  model: Model,
  data: Examples | Batches,
  options: EvaluateOptions,
): Promise<Evaluation> {
  checkOptions('evaluate', options, {
    loss: true,
    lossWeights: 'arrayOrObject',
    classWeights: true,
    metrics: 'arrayOrObject',
    weightedMetrics: 'arrayOrObject',
    batchSize: 'count',
  });
  await ready();
  const { batchSize = 256 } = options;
  const names = outputNames(model);
  const objective = new Objective(options, names);
  const scores = new Scores(objective, options, names);
  const source = sourceOf(data, batchSize);
  const { loss, metrics } = (await measure(model, objective, scores, source, () => false))!;
  return { loss, ...metrics };
}

/** Returns a source of batches of the data, in order. */
export function sourceOf(data: Examples | Batches, batchSize: number): BatchSource {
  return isExamples(data) ? rangeSource(toRange(data), batchSize) : iterableSource(data, null);
}

/** Returns true if the data are examples instead of batches. */
export function isExamples(data: Examples | Batches): data is Examples {
  return typeof data === 'object' && 'x' in data && 'y' in data;
}

/** Checks the losses of a batch; throws to end the evaluation. */
type LossCheck = (batch: PreparedBatch, parts: readonly OutputLoss[]) => Promise<void>;

/**
 * Returns the loss and metrics over one epoch of a source. The previous values of `scores` and the carried states of the
 * model are restored afterwards.
 * @param stop called after each batch; if it returns true, the result is null
 * @param check called with the losses of each batch; may throw
 */
export async function measure(
  model: Model,
  objective: Objective,
  scores: Scores,
  source: BatchSource,
  stop: () => boolean,
  check: LossCheck = async () => {},
): Promise<LossAndMetrics | null> {
  const saved = scores.state;
  scores.reset();
  try {
    return await withFreshStates(model, () => measureAll(model, objective, scores, source, stop, check));
  } finally {
    scores.state = saved;
  }
}

async function measureAll(
  model: Model,
  objective: Objective,
  scores: Scores,
  source: BatchSource,
  stop: () => boolean,
  check: LossCheck,
): Promise<LossAndMetrics | null> {
  for await (const batch of source.epoch(1, 0)) {
    const shapes = inputShapes(batch.inputs);
    model.build(shapes);
    objective.build(model, shapes);
    let losses!: BatchLoss;
    const scalars = scope(() => {
      const terms: Tensor[] = [];
      const context = inferenceContext((term) => void terms.push(term));
      const outputs = model.forward(sequencesOf(batch), context);
      scores.collect(outputs, batch);
      losses = objective.compute(outputs, batch, terms, context);
      return lossScalars(losses);
    });
    const values = lossValues(losses, await valuesOf(scalars));
    await check(batch, values.parts);
    await scores.add(values);
    await yieldIfDue();
    if (stop()) return null;
  }
  return { loss: scores.loss, metrics: scores.metrics };
}

/** Returns the names of the model's outputs; null if the model does not name them. */
export function outputNames(model: Model): readonly string[] | null {
  return (model as { outputNames?: readonly string[] }).outputNames ?? null;
}
