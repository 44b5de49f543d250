/** Measuring a model on data it does not train on. */
import { type MaskedSequence, type Model, ready, scope, type Tensor } from '@unroll/core';
import { checkOptions, inferenceContext, nextTurnIfDue, valuesOf } from '@unroll/core/internal';
import {
  type Batches,
  type BatchSource,
  type Examples,
  inputShapes,
  iterableSource,
  type PreparedBatch,
  rowSource,
  toRows,
} from './batches.js';
import { withFreshStates } from './carried.js';
import type { Figures } from './events.js';
import {
  type BatchLoss,
  lossScalars,
  lossValues,
  Objective,
  type ObjectiveOptions,
  type Part,
} from './objective.js';
import { type MetricOptions, Scores } from './scores.js';

export interface EvaluateOptions extends ObjectiveOptions, MetricOptions {
  /** Examples computed at once, of arrays and tensors; iterables bring their own batches. Default 256. */
  batchSize?: number;
}

/** The loss, and every other figure by its name. */
export type Evaluation = { loss: number } & Record<string, number>;

/** Loss and metrics over everything that counts. */
export interface Measures {
  loss: number;
  metrics: Figures;
}

/**
 * The loss and the metrics of a model on data. The averages are over all that counts (rows that no mask
 * hides), so they do not depend on the batch size.
 * @param data all examples, or batches of them
 * @throws UnrollError `shape` where data and model do not fit each other
 */
export async function evaluate(
  model: Model,
  data: Examples | Batches,
  options: EvaluateOptions,
): Promise<Evaluation> {
  checkOptions('evaluate', options, {
    loss: true,
    lossWeights: 'lists',
    classWeights: true,
    metrics: 'lists',
    weightedMetrics: 'lists',
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

/** Batches of data in the order in which they stand. */
export function sourceOf(data: Examples | Batches, batchSize: number): BatchSource {
  return isExamples(data) ? rowSource(toRows(data), batchSize) : iterableSource(data, null);
}

export function isExamples(data: Examples | Batches): data is Examples {
  return typeof data === 'object' && 'x' in data && 'y' in data;
}

type Check = (batch: PreparedBatch, parts: readonly Part[]) => Promise<void>;

/**
 * Loss and metrics over a source; null if `stop` said so on the way. The scores are as they were afterwards,
 * and so are the states that the model carries.
 * @param check sees the losses of each batch, and may throw
 */
export async function measure(
  model: Model,
  objective: Objective,
  scores: Scores,
  source: BatchSource,
  stop: () => boolean,
  check: Check = async () => {},
): Promise<Measures | null> {
  const kept = scores.state;
  scores.reset();
  try {
    return await withFreshStates(model, () => measureAll(model, objective, scores, source, stop, check));
  } finally {
    scores.state = kept;
  }
}

async function measureAll(
  model: Model,
  objective: Objective,
  scores: Scores,
  source: BatchSource,
  stop: () => boolean,
  check: Check,
): Promise<Measures | null> {
  for await (const batch of source.epoch(1, 0)) {
    const shapes = inputShapes(batch.inputs);
    model.build(shapes);
    objective.build(model, shapes);
    let losses!: BatchLoss;
    const scalars = scope(() => {
      const terms: Tensor[] = [];
      const context = inferenceContext((term) => void terms.push(term));
      const sequences: MaskedSequence[] = batch.inputs.map((value, i) => ({
        value,
        mask: batch.masks[i] ?? null,
      }));
      const outputs = model.forward(sequences, context);
      scores.see(outputs, batch);
      losses = objective.compute(outputs, batch, terms);
      return lossScalars(losses);
    });
    const values = lossValues(losses, await valuesOf(scalars));
    await check(batch, values.parts);
    await scores.add(values);
    await nextTurnIfDue();
    if (stop()) return null;
  }
  return { loss: scores.loss, metrics: scores.figures };
}

/** Names of the model's outputs, where it has names. */
export function outputNames(model: Model): readonly string[] | null {
  return (model as { outputNames?: readonly string[] }).outputNames ?? null;
}
