/**
 * `trainClassifier`: reads a table of texts with labels and trains a classifier. The run is planned by plan.ts; the network is
 * built by network.ts. Training ends when the validation loss stops improving, and the weights of the best epoch are kept.
 */
import { currentBackend, RandomStream, ready, valueError } from '@unroll/core';
import { checkOptions as checkNames, type OptionTypes } from '@unroll/core/internal';
import type { Table } from '@unroll/data';
import type { Functional } from '@unroll/nn';
import { adamw, type TrainOptions } from '@unroll/train';
import type { RunEvent } from '../shared/events.js';
import { CheckpointedTrainer, type RunStore } from '../shared/resume.js';
import { textBatches } from '../shared/text-batches.js';
import { type NetworkTraining, trainNetwork } from '../shared/training.js';
import { batchOf } from './encoder.js';
import { argmax, ClassifyModel } from './model.js';
import { type ClassifyCell, classifierNetworks } from './network.js';
import { CLASSIFY_FORMAT } from './pipeline.js';
import { type PreparedClassifier, prepare } from './plan.js';
import { planEvent, resultEvent } from './run-events.js';
import { type ClassifyScores, classifyScores, classTable, confusionTable, summaryTable } from './scores.js';

const STAGE = { stage: 'train', title: 'training' };
/** Decoupled weight decay (Loshchilov & Hutter 2019). It delays the memorisation of rare words. */
const WEIGHT_DECAY = 0.3;

export interface ClassifyOptions {
  /** Name of the column with the texts. */
  text: string;
  /** Name of the column with the labels. */
  label: string;
  /** Rows for validation, with the same columns. Default: a tenth of the texts of each label. */
  validation?: Table;
  /** The recurrent cell. Default `lstm`. */
  cell?: ClassifyCell;
  /** Hidden units of each direction of each recurrent layer. Default 64. */
  units?: number;
  /** Recurrent layers. Default 1. */
  layers?: number;
  /** Width of the embedding. Default 100. */
  embedding?: number;
  /** Dropout rate, from 0 to below 1. Default 0.5. */
  dropout?: number;
  /** Number of networks, whose probabilities are averaged. Default: 5, or fewer for more than 500,000 words. */
  networks?: number;
  /** Maximum number of epochs. Default 30. */
  epochs?: number;
  /** Texts per training step. Default: from 8 to 64, by the number of texts. */
  batchSize?: number;
  /** Learning rate of AdamW. Default 0.001. */
  learningRate?: number;
  /** Convert texts to lower case. Default false. */
  lowercase?: boolean;
  /** Seed of the split, the initial weights, shuffling and dropout. Default 0. */
  seed?: number;
  /** Time for the training in seconds: it ends with the epoch in which the time runs out. Default: no limit. */
  budget?: number;
  /** Stores checkpoints: the same call with the same store resumes an interrupted run. Default: no checkpoints. */
  store?: RunStore;
  /** Stops the run: the promise or generator throws the reason of the signal. */
  signal?: AbortSignal;
}

export interface ClassifyResult {
  /** What was decided before the training. */
  plan: PreparedClassifier;
  /** The training of each network. The metric of an epoch is `accuracy`. */
  trainings: NetworkTraining[];
  /** Scores on the validation texts. */
  scores: ClassifyScores;
  /** Probabilities of the labels of each validation text. */
  probabilities: Float64Array[];
  /** The trained model. It can be saved, and can predict and evaluate. */
  model: ClassifyModel;
  seconds: number;
}

/**
 * Reads the tables and plans the training, without training.
 * @throws UnrollError `data` or `value` for invalid tables or options
 */
export function prepareClassifier(table: Table, options: ClassifyOptions): PreparedClassifier {
  checkOptions(options);
  return prepare(table, options);
}

/** Trains a classifier and yields the events of the run; the return value is the result. */
export async function* classifyEvents(
  table: Table,
  options: ClassifyOptions,
): AsyncGenerator<RunEvent, ClassifyResult, void> {
  const start = performance.now();
  const plan = prepareClassifier(table, options);
  await ready();
  yield { event: 'backend', backend: currentBackend().description };
  yield planEvent(plan);
  const { sizes, settings, encoder, labels } = plan;
  const random = new RandomStream(settings.seed, 'classify', 'networks');
  const seeds = [...random.words(settings.networks)];
  const shape = { ...sizes, vocabulary: encoder.vocabulary.size, classes: labels.length, seeds };
  const { networks, joined } = classifierNetworks(shape);
  const trainer = new CheckpointedTrainer(options.store ?? null, options.budget);
  const trainings: NetworkTraining[] = [];
  for (const [n, network] of networks.entries()) {
    const info = { ...STAGE, model: sizes.cell, training: n + 1, trainings: networks.length };
    const training = trainingOptions(plan, seeds[n], options.signal);
    trainings.push(yield* trainNetwork(network, training, { info, trainer, patience: settings.patience }));
  }
  const model = modelOf(joined, plan);
  const probabilities = await model.probabilities(plan.validationTexts);
  const scores = classifyScores(plan.validation.classes, probabilities.map(argmax), labels);
  yield { event: 'scores', ...summaryTable(scores, plan.validationTexts.length, sizes.cell) };
  yield { event: 'table', name: 'classes', title: 'Scores by label', ...classTable(scores) };
  yield { event: 'table', name: 'confusion', title: 'Confusion matrix', ...confusionTable(scores) };
  const seconds = (performance.now() - start) / 1000;
  const epochs = trainings.map(({ bestEpoch }) => bestEpoch);
  yield resultEvent(plan, scores, { parameters: joined.countParams(), epochs, seconds });
  return { plan, trainings, scores, probabilities, model, seconds };
}

/**
 * Trains a text classifier.
 * @param table rows with a text and a label each
 * @param options those of the run; `onEvent` is called for every event
 * @throws UnrollError `data` or `value` for an invalid table or invalid options
 */
export async function trainClassifier(
  table: Table,
  { onEvent, ...options }: ClassifyOptions & { onEvent?: (event: RunEvent) => void },
): Promise<ClassifyResult> {
  const run = classifyEvents(table, options);
  try {
    for (;;) {
      const next = await run.next();
      if (next.done) return next.value;
      onEvent?.(next.value);
    }
  } finally {
    await run.return(undefined as never); // If onEvent throws, the training still saves its checkpoint.
  }
}

/** Returns the options of the training run. Each epoch has its own random batches, the same in a resumed run. */
function trainingOptions(plan: PreparedClassifier, seed: number, signal?: AbortSignal): TrainOptions {
  const { training, validation, classWeights, settings } = plan;
  const { batchSize, epochs, learningRate } = settings;
  const random = new RandomStream(seed, 'classify', 'batches');
  const batchesOf = (epoch: number) => textBatches(training.ids, batchSize, random.child(epoch));
  const stepsPerEpoch = batchesOf(1).length;
  return {
    *batches(epoch: number) {
      for (const rows of batchesOf(epoch)) yield batchOf(training, rows);
    },
    stepsPerEpoch,
    validationData: textBatches(validation.ids, 128).map((rows) => batchOf(validation, rows)),
    loss: { name: 'sparseCategoricalCrossentropy', fromLogits: true },
    metrics: ['accuracy'],
    ...(classWeights !== null && { classWeights }),
    optimizer: adamw({ learningRate, weightDecay: WEIGHT_DECAY }),
    average: { momentum: 1 - 1 / Math.max(2, stepsPerEpoch) },
    clip: { globalNorm: 1 },
    ...{ seed, epochs, ...(signal && { signal }) },
  };
}

function modelOf(
  network: Functional,
  { columns, labels, encoder, sizes }: PreparedClassifier,
): ClassifyModel {
  const { cell, layers, units } = sizes;
  const pipeline = {
    format: CLASSIFY_FORMAT,
    ...columns,
    labels,
    cell,
    layers,
    units,
    ...encoder.config,
  } as const;
  return new ClassifyModel(pipeline, network);
}

const OPTIONS: OptionTypes<ClassifyOptions & { onEvent?: unknown }> = {
  text: 'string',
  label: 'string',
  validation: true,
  cell: ['lstm', 'gru', 'rnn'],
  units: 'count',
  layers: 'count',
  embedding: 'count',
  dropout: 'fraction',
  networks: 'count',
  epochs: 'count',
  batchSize: 'count',
  learningRate: 'number',
  lowercase: 'boolean',
  seed: 'nonNegativeInteger',
  budget: 'number',
  store: true,
  signal: true,
  onEvent: true,
};

function checkOptions(options: ClassifyOptions): void {
  checkNames('trainClassifier', options, OPTIONS);
  const { text, label, learningRate = 1 } = options;
  if (learningRate <= 0)
    throw valueError(`learningRate must be above 0, got ${learningRate}.`, { learningRate });
  if (text === label) throw valueError(`text and label must be different columns, got "${text}" for both.`);
}
