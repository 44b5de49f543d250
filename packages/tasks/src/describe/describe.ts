/**
 * `trainDescriber`: reads clips, each with a sentence, and trains a model that describes clips. The run is planned by plan.ts; the
 * network is built by network.ts and trained with teacher forcing. Training ends when the validation loss stops improving, and the
 * weights of the best epoch are kept.
 */
import { currentBackend, RandomStream, ready, valueError } from '@unroll/core';
import { checkOptions as checkNamesAndTypes, type OptionTypes } from '@unroll/core/internal';
import type { Table } from '@unroll/data';
import { adamw, type TrainOptions } from '@unroll/train';
import type { RunEvent } from '../shared/events.js';
import type { FrameOptions } from '../shared/frames/encoder.js';
import { checkFrameOptions, FRAME_OPTION_TYPES } from '../shared/frames/options.js';
import { CELL_NAMES } from '../shared/recurrent-cells.js';
import { RUN_CONTROL, type RunControl } from '../shared/run-control.js';
import { runToEnd } from '../shared/run-to-end.js';
import { type NetworkTraining, trainSingleNetwork } from '../shared/training.js';
import type { TokenLevel } from '../translate/plan.js';
import { bleuOptions, signatureNote } from '../translate/scores.js';
import { DescribeModel, type Description } from './model.js';
import { type DescribeCell, describerNetworks } from './network.js';
import { batchOf } from './pairs.js';
import { DESCRIBE_FORMAT } from './pipeline.js';
import { epochBatches, type PreparedDescriber, prepare } from './plan.js';
import { planEvent, resultEvent } from './run-events.js';
import { type DescribeScores, describeScores, scoreTable } from './scores.js';

export interface DescribeOptions extends RunControl, FrameOptions {
  /** Name of the column with clips: lists of images { width, height, data }, or arrays { shape, values }. */
  frames: string;
  /** Name of the column with the sentences. */
  text: string;
  /** Rows for validation, with the same columns. Default: a tenth of the rows. */
  validation?: Table;
  /** What sentences are split into. Default `words`. */
  level?: TokenLevel;
  /**
   * Largest number of tokens of the vocabulary. Default: 1,000 to 8,000 subwords, by the number of words in the sentences; 20,000
   * words or characters. If there are more than 2,000 words, those that occur once are left out.
   */
  vocabulary?: number;
  /** The recurrent cell, see {@link RecurrentCellName}. Default `lstm`. */
  cell?: DescribeCell;
  /** Hidden units of each direction of the encoder, and of the decoder. Default 128. */
  units?: number;
  /** Layers of the encoder and of the decoder. Default 1. */
  layers?: number;
  /** Width of the embedding of tokens. Default 128. */
  embedding?: number;
  /** Dropout rate, from 0 to below 1. Default 0.2. */
  dropout?: number;
  /** Maximum number of epochs. Default: 20 to 100, by the number of clips. */
  epochs?: number;
  /** Clips per training step. Default 16, fewer for few or large clips. */
  batchSize?: number;
  /** Learning rate of AdamW. Default 0.002. */
  learningRate?: number;
  /** Convert sentences to lower case. Default false. */
  lowercase?: boolean;
  /**
   * Augment the clips in training: select frames and change position, size, angle, contrast and brightness, at random. Default true.
   */
  augment?: boolean;
  /** Seed of the split, the initial weights, shuffling, augmentation and dropout. Default 0. */
  seed?: number;
}

export interface DescribeResult {
  /** What was decided before the training. */
  plan: PreparedDescriber;
  /** The training of the network. */
  training: NetworkTraining;
  /** The descriptions of the validation clips. */
  descriptions: Description[];
  /** The scores of the descriptions. */
  scores: DescribeScores;
  /** The trained model. It can be saved, and can predict and evaluate. */
  model: DescribeModel;
  seconds: number;
}

/**
 * Reads the tables and plans the training, without training.
 * @throws UnrollError `data` or `value` for invalid tables or options
 */
export function prepareDescriber(table: Table, options: DescribeOptions): PreparedDescriber {
  checkOptions(options);
  return prepare(table, options);
}

/** Trains a describer and yields the events of the run; the return value is the result. */
export async function* describeEvents(
  table: Table,
  options: DescribeOptions,
): AsyncGenerator<RunEvent, DescribeResult, void> {
  const start = performance.now();
  const plan = prepareDescriber(table, options);
  await ready();
  yield { event: 'backend', backend: currentBackend().description };
  yield planEvent(plan);
  const { sizes, settings, target, frames, validation, validationTexts } = plan;
  const [seed] = new RandomStream(settings.seed, 'describe', 'network').words(1);
  const shape = { ...sizes, vocabulary: target.vocabulary.size, frames: frames.shape, seed };
  const networks = describerNetworks(shape);
  const training = yield* trainSingleNetwork(networks.training, trainingOptions(plan, seed, options.signal), {
    ...{ model: sizes.cell, control: options, patience: settings.patience },
  });
  const model = modelOf(plan, networks.inference);
  const descriptions = await model.describeClips(validation.clips);
  const perplexity = await model.perplexity(validation);
  const texts = descriptions.map(({ text }) => text);
  const scores = describeScores(texts, validationTexts, { perplexity, bleu: model.pipeline.bleu });
  yield { event: 'scores', ...scoreTable(scores, texts.length, sizes.cell) };
  yield { event: 'note', text: signatureNote(scores) };
  const seconds = (performance.now() - start) / 1000;
  const trained = { parameters: model.network.countParams(), epochs: training.bestEpoch, seconds };
  yield resultEvent(plan, scores, trained);
  return { plan, training, descriptions, scores, model, seconds };
}

/**
 * Trains a describer.
 * @param table each row has a clip and its sentence
 * @param options options of the run; `onEvent` is called for every event
 * @throws UnrollError `data` or `value` for an invalid table or invalid options
 */
export async function trainDescriber(
  table: Table,
  { onEvent, ...options }: DescribeOptions & { onEvent?: (event: RunEvent) => void },
): Promise<DescribeResult> {
  return runToEnd(describeEvents(table, options), onEvent);
}

/** Returns the options of the training run. Each epoch has its own random batches, the same in a resumed run. */
function trainingOptions(plan: PreparedDescriber, seed: number, signal?: AbortSignal): TrainOptions {
  const { frames, training, validation, settings } = plan;
  const { epochs, learningRate, augment } = settings;
  const random = new RandomStream(seed, 'describe', 'batches');
  const rowsOf = (epoch: number) => epochBatches(training, settings, random.child(epoch));
  const stepsPerEpoch = rowsOf(1).length;
  return {
    *batches(epoch: number) {
      const augmentation = augment ? random.child(epoch, 'changes') : null;
      for (const rows of rowsOf(epoch)) yield batchOf(frames, training, rows, augmentation);
    },
    stepsPerEpoch,
    validationData: epochBatches(validation, settings, null).map((rows) => batchOf(frames, validation, rows)),
    loss: {
      name: 'sparseCategoricalCrossentropy',
      ...{ fromLogits: true, reduction: 'meanWithSampleWeight' },
    },
    optimizer: adamw({ learningRate, weightDecay: 0.01 }),
    average: { momentum: 1 - 1 / Math.max(2, stepsPerEpoch / 2) }, // over about half an epoch
    clip: { globalNorm: 1 },
    ...{ seed, epochs, ...(signal && { signal }) },
  };
}

function modelOf(plan: PreparedDescriber, network: DescribeModel['network']): DescribeModel {
  const { columns, level, lowercase, target, sizes, frames, validationTexts } = plan;
  const { cell, layers, units } = sizes;
  const pipeline = {
    format: DESCRIBE_FORMAT,
    ...{ columns, level, target: target.config, ...frames.config, cell, layers, units },
    bleu: bleuOptions(validationTexts, lowercase),
  } as const;
  return new DescribeModel(pipeline, network);
}

const OPTIONS: OptionTypes<DescribeOptions & { onEvent?: unknown }> = {
  frames: 'string',
  text: 'string',
  ...FRAME_OPTION_TYPES,
  validation: true,
  level: ['words', 'subwords', 'characters'],
  vocabulary: 'count',
  cell: CELL_NAMES,
  units: 'count',
  layers: 'count',
  embedding: 'count',
  dropout: 'fraction',
  epochs: 'count',
  batchSize: 'count',
  learningRate: 'number',
  lowercase: 'boolean',
  augment: 'boolean',
  seed: 'nonNegativeInteger',
  ...RUN_CONTROL,
};

function checkOptions(options: DescribeOptions): void {
  checkNamesAndTypes('trainDescriber', options, OPTIONS);
  const { frames, text, learningRate = 1 } = options;
  if (learningRate <= 0)
    throw valueError(`learningRate must be above 0, got ${learningRate}.`, { learningRate });
  for (const [name, value] of Object.entries({ frames, text }))
    if (value === undefined)
      throw valueError(
        `The option ${name} is missing: pass the name of the column with the ${name === 'frames' ? 'clips' : 'sentences'}.`,
      );
  if (frames === text) throw valueError(`frames and text must be different columns, got "${text}" for both.`);
  checkFrameOptions(options);
}
