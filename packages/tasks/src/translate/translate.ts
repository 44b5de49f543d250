/**
 * `trainTranslator`: reads pairs of a source and a target text, and trains a model that generates the target from the source,
 * for example a translation or a summary.
 * The run is planned by plan.ts; the network is built by network.ts and trained with teacher forcing and label smoothing.
 * Training ends when the validation loss stops improving, and the weights of the best epoch are kept.
 */
import { currentBackend, RandomStream, ready, valueError } from '@unroll/core';
import { checkOptions as checkNamesAndTypes, type OptionTypes } from '@unroll/core/internal';
import { adam, type TrainOptions } from '@unroll/train';
import type { RunEvent } from '../shared/events.js';
import { CELL_NAMES } from '../shared/recurrent-cells.js';
import { RUN_CONTROL, type RunControl } from '../shared/run-control.js';
import { runToEnd } from '../shared/run-to-end.js';
import { type NetworkTraining, trainSingleNetwork } from '../shared/training.js';
import { batchOf, pairBatches } from './encoder.js';
import { TranslateModel, type Translation } from './model.js';
import { type TranslateCell, translatorNetworks } from './network.js';
import type { PairData, Pairs } from './pairs.js';
import { TRANSLATE_FORMAT } from './pipeline.js';
import { type PreparedTranslator, prepare, type TokenLevel } from './plan.js';
import { planEvent, resultEvent } from './run-events.js';
import { bleuOptions, type ModelScores, scoreTable, signatureNote, translateScores } from './scores.js';

const LABEL_SMOOTHING = 0.1;
/** Largest number of validation pairs whose translations are scored. */
const SCORED_PAIRS = 300;

export interface TranslateOptions extends RunControl {
  /** Name of the column with the sources. Not needed for parallel files. */
  source?: string;
  /** Name of the column with the targets. Not needed for parallel files. */
  target?: string;
  /** Pairs for validation, in the form of the training data. Default: a tenth of the pairs, at most 2,000. */
  validation?: PairData;
  /** What texts are split into. Default `subwords`: byte-pair encoding that is learned from the training texts. */
  level?: TokenLevel;
  /**
   * Number of tokens of each vocabulary. Default: with subwords, 1,000 to 8,000, by the number of words; with words or
   * characters, at most 20,000.
   */
  vocabulary?: number;
  /** The recurrent cell, see {@link RecurrentCellName}. Default `lstm`. */
  cell?: TranslateCell;
  /** Hidden units of each direction of the encoder, and of the decoder. Default 256. */
  units?: number;
  /** Layers of the encoder and of the decoder. Default 1. */
  layers?: number;
  /** Width of the embeddings. Default 256. */
  embedding?: number;
  /** Dropout rate, from 0 to below 1. Default 0.3. */
  dropout?: number;
  /** Maximum number of epochs. Default 30. */
  epochs?: number;
  /** Pairs per training step. Default: from 16 to 64, by the number of pairs; fewer for long targets. */
  batchSize?: number;
  /** Learning rate of Adam. Default 0.002. */
  learningRate?: number;
  /** Convert texts to lower case. Default false. */
  lowercase?: boolean;
  /** Seed of the split, the initial weights, shuffling and dropout. Default 0. */
  seed?: number;
}

export interface TranslateResult {
  /** What was decided before the training. */
  plan: PreparedTranslator;
  /** The training of the network. */
  training: NetworkTraining;
  /** The validation pairs that are scored: the first 300, or all if there are fewer. */
  scored: Pairs;
  /** The translations of `scored`. */
  translations: Translation[];
  /** The scores of `translations`. The perplexity is computed from all validation pairs. */
  scores: ModelScores;
  /** The trained model. It can be saved, and can predict and evaluate. */
  model: TranslateModel;
  seconds: number;
}

/**
 * Reads the data and plans the training, without training.
 * @throws UnrollError `data` or `value` for invalid data or options
 */
export function prepareTranslator(data: PairData, options: TranslateOptions = {}): PreparedTranslator {
  checkOptions(data, options);
  return prepare(data, options);
}

/** Trains a translator and yields the events of the run; the return value is the result. */
export async function* translateEvents(
  data: PairData,
  options: TranslateOptions = {},
): AsyncGenerator<RunEvent, TranslateResult, void> {
  const start = performance.now();
  const plan = prepareTranslator(data, options);
  await ready();
  yield { event: 'backend', backend: currentBackend().description };
  yield planEvent(plan);
  const { sizes, settings, source, target, validationPairs } = plan;
  const [seed] = new RandomStream(settings.seed, 'translate', 'network').words(1);
  const vocabularies = { sourceVocabulary: source.vocabulary.size, targetVocabulary: target.vocabulary.size };
  const networks = translatorNetworks({ ...sizes, ...vocabularies, seed });
  const training = yield* trainSingleNetwork(networks.training, trainingOptions(plan, seed, options.signal), {
    ...{ model: sizes.cell, control: options, patience: settings.patience },
  });
  const model = modelOf(plan, networks.inference);
  const scored = {
    ...validationPairs,
    source: validationPairs.source.slice(0, SCORED_PAIRS),
    target: validationPairs.target.slice(0, SCORED_PAIRS),
  };
  const translations = await model.translate(scored.source);
  const texts = translations.map(({ text }) => text);
  const perplexity = await model.perplexity(validationPairs);
  const scores = { ...translateScores(texts, scored.target, model.pipeline.bleu), perplexity };
  yield { event: 'scores', ...scoreTable(scores, texts.length, sizes.cell) };
  yield { event: 'note', text: signatureNote(scores) };
  const seconds = (performance.now() - start) / 1000;
  const trained = { parameters: model.network.countParams(), epochs: training.bestEpoch, seconds };
  yield resultEvent(plan, scores, trained);
  return { plan, training, scored, translations, scores, model, seconds };
}

/**
 * Trains a translator.
 * @param data a table with two columns of texts, or two parallel text files
 * @param options options of the run; `onEvent` is called for every event
 * @throws UnrollError `data` or `value` for invalid data or options
 */
export async function trainTranslator(
  data: PairData,
  { onEvent, ...options }: TranslateOptions & { onEvent?: (event: RunEvent) => void } = {},
): Promise<TranslateResult> {
  return runToEnd(translateEvents(data, options), onEvent);
}

/** Returns the options of the training run. Each epoch has its own random batches, the same in a resumed run. */
function trainingOptions(plan: PreparedTranslator, seed: number, signal?: AbortSignal): TrainOptions {
  const { training, validation, settings } = plan;
  const { batchSize, epochs, learningRate } = settings;
  const random = new RandomStream(seed, 'translate', 'batches');
  const batchesOf = (epoch: number) => pairBatches(training, batchSize, random.child(epoch));
  const stepsPerEpoch = batchesOf(1).length;
  return {
    *batches(epoch: number) {
      for (const rows of batchesOf(epoch)) yield batchOf(training, rows);
    },
    stepsPerEpoch,
    validationData: pairBatches(validation, batchSize).map((rows) => batchOf(validation, rows)),
    loss: {
      name: 'sparseCategoricalCrossentropy',
      ...{ fromLogits: true, labelSmoothing: LABEL_SMOOTHING, reduction: 'meanWithSampleWeight' },
    },
    optimizer: adam({ learningRate }),
    average: { momentum: 1 - 1 / Math.max(2, stepsPerEpoch / 2) }, // over about half an epoch
    clip: { globalNorm: 1 },
    ...{ seed, epochs, ...(signal && { signal }) },
  };
}

function modelOf(plan: PreparedTranslator, network: TranslateModel['network']): TranslateModel {
  const { columns, level, lowercase, source, target, sizes, validationPairs } = plan;
  const { cell, layers, units } = sizes;
  const pipeline = {
    format: TRANSLATE_FORMAT,
    ...{ columns, level, source: source.config, target: target.config, cell, layers, units },
    bleu: bleuOptions(validationPairs.target, lowercase),
  } as const;
  return new TranslateModel(pipeline, network);
}

const OPTIONS: OptionTypes<TranslateOptions & { onEvent?: unknown }> = {
  source: 'string',
  target: 'string',
  validation: true,
  level: ['subwords', 'words', 'characters'],
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
  seed: 'nonNegativeInteger',
  ...RUN_CONTROL,
};

function checkOptions(data: PairData, options: TranslateOptions): void {
  checkNamesAndTypes('trainTranslator', options, OPTIONS);
  const { source, target, validation, learningRate = 1 } = options;
  if (learningRate <= 0)
    throw valueError(`learningRate must be above 0, got ${learningRate}.`, { learningRate });
  const isTable = 'table' in data;
  if (validation && 'table' in validation !== isTable)
    throw valueError(
      'validation must have the form of the training data: both tables, or both parallel files.',
    );
  if (!isTable && (source ?? target) !== undefined)
    throw valueError('source and target name the columns of a table. Leave them out for parallel files.');
  if (!isTable) return;
  if (source === undefined || target === undefined)
    throw valueError('A table needs the options source and target: the names of the columns with the texts.');
  if (source === target)
    throw valueError(`source and target must be different columns, got "${source}" for both.`);
}
