/**
 * `trainLanguageModel`: trains a network that predicts the next token of a text. The run is planned by plan.ts, the network is
 * built by network.ts, and the batches come from streams.ts. The learning rate rises, then falls along a cosine to 1 % of its
 * maximum. It is also halved after each epoch in which the validation loss does not improve. Training ends when the validation
 * loss stops improving; the weights of the best epoch are kept.
 */
import { currentBackend, RandomStream, ready, valueError } from '@unroll/core';
import { checkOptions as checkNamesAndTypes, type OptionTypes } from '@unroll/core/internal';
import type { Sequential } from '@unroll/nn';
import { adam, cosineDecay, reduceOnPlateau, type TrainOptions } from '@unroll/train';
import type { RunEvent } from '../shared/events.js';
import { CELL_NAMES } from '../shared/recurrent-cells.js';
import { RUN_CONTROL, type RunControl } from '../shared/run-control.js';
import { runToEnd } from '../shared/run-to-end.js';
import type { TextFile } from '../shared/task.js';
import { type NetworkTraining, trainSingleNetwork } from '../shared/training.js';
import type { TextLevel } from './codec.js';
import { LanguageModel } from './model.js';
import { type LanguageCell, type LanguageShape, languageNetwork } from './network.js';
import { GENERATE_FORMAT } from './pipeline.js';
import { type PreparedLanguageModel, prepare } from './plan.js';
import { planEvent, resultEvent } from './run-events.js';
import { type LanguageScores, languageTable } from './scores.js';
import { parallelStreams, shiftedStreams, trainingBatches } from './streams.js';

/** Share of the updates in which the learning rate rises from 0. */
const WARM_UP = 0.02;
/** The last learning rate, as a share of the highest. */
const LAST_RATE = 0.01;

export interface LanguageModelOptions extends RunControl {
  /** What a token is: a character, a word, or a subword of byte-pair encoding. Default `char`. */
  level?: TextLevel;
  /** The text for validation. Default: 5 to 10 % of the text; if the text is long, from ten parts of it (see plan.ts). */
  validation?: TextFile;
  /** Convert texts to lower case. Default false. */
  lowercase?: boolean;
  /** Size of the vocabulary of subwords, above 256. Default: from 1,000 to 8,000, by the length of the text. */
  subwords?: number;
  /** The recurrent cell, see {@link RecurrentCellName}. Default `lstm`. */
  cell?: LanguageCell;
  /** Hidden units of each recurrent layer. Default: from 128 to 512, by the number of training tokens. */
  units?: number;
  /** Recurrent layers. Default 1. */
  layers?: number;
  /** Width of the embedding. Default: 64 for characters, otherwise `units`, at most 256. */
  embedding?: number;
  /** Dropout rate of the outputs of the recurrent layers, from 0 to below 1. Default: by the number of training tokens. */
  dropout?: number;
  /** Dropout rate of the recurrent weights, from 0 to below 1. Default: by the number of training tokens. */
  weightDrop?: number;
  /** Maximum number of epochs, over which the learning rate falls. Default: from 4 to 40, by the number of training tokens. */
  epochs?: number;
  /** Number of parallel streams into which the text is cut. Default: from 4 to 32, by the number of tokens. */
  streams?: number;
  /** Steps per batch. Gradients do not reach back beyond the start of a batch. Default: 64 characters, or 50 words or subwords. */
  steps?: number;
  /** Highest learning rate of Adam. Default 0.003. */
  learningRate?: number;
  /** Seed of the initial weights, the batches and dropout. Default 0. */
  seed?: number;
}

export interface LanguageModelResult {
  /** What was decided before the training. */
  plan: PreparedLanguageModel;
  /** The training of the network. Losses are nats per token. */
  training: NetworkTraining;
  /** Scores on the validation text. */
  scores: LanguageScores;
  /** The trained model. It can be saved, and can generate, predict and evaluate. */
  model: LanguageModel;
  seconds: number;
}

/** Returns a text as a file, whose name appears in messages. */
const fileOf = (text: TextFile | string): TextFile =>
  typeof text === 'string' ? { source: 'The text', text } : text;

/**
 * Reads the text and plans the training, without training.
 * @throws UnrollError `data` or `value` for an invalid text or options
 */
export function prepareLanguageModel(
  text: TextFile | string,
  options: LanguageModelOptions = {},
): PreparedLanguageModel {
  checkOptions(options);
  return prepare(fileOf(text), options);
}

/** Trains a language model and yields the events of the run; the return value is the result. */
export async function* languageModelEvents(
  text: TextFile | string,
  options: LanguageModelOptions = {},
): AsyncGenerator<RunEvent, LanguageModelResult, void> {
  const start = performance.now();
  const plan = prepareLanguageModel(text, options);
  await ready();
  yield { event: 'backend', backend: currentBackend().description };
  yield planEvent(plan);
  const { sizes, settings, codec, tied } = plan;
  const shape = { ...sizes, vocabulary: codec.vocabulary.size, tied, seed: settings.seed };
  const network = languageNetwork({ ...shape, stateful: true });
  const training = yield* trainSingleNetwork(network, trainingOptions(plan, options.signal), {
    ...{ model: sizes.cell, control: options, patience: settings.patience },
    callbacks: [reduceOnPlateau({ monitor: 'validationLoss', factor: 0.5, patience: 1, minDelta: 0 })],
  });
  const model = modelOf(network, shape, plan);
  const scores = await model.scores(plan.validation);
  yield { event: 'scores', ...languageTable(scores, sizes.cell) };
  const seconds = (performance.now() - start) / 1000;
  const trained = { parameters: network.countParams(), epochs: [training.bestEpoch], seconds };
  yield resultEvent(plan, scores, trained);
  return { plan, training, scores, model, seconds };
}

/**
 * Trains a language model.
 * @param text the training text, or the training file
 * @param options options of the run; `onEvent` is called for every event
 * @throws UnrollError `data` or `value` for an invalid text or invalid options
 */
export async function trainLanguageModel(
  text: TextFile | string,
  { onEvent, ...options }: LanguageModelOptions & { onEvent?: (event: RunEvent) => void } = {},
): Promise<LanguageModelResult> {
  return runToEnd(languageModelEvents(text, options), onEvent);
}

/** Returns the options of the training run. Each epoch has its own shift of the text, the same in a resumed run. */
function trainingOptions(plan: PreparedLanguageModel, signal?: AbortSignal): TrainOptions {
  const { training, validation, settings } = plan;
  const { epochs, seed } = settings;
  const random = new RandomStream(seed, 'generate', 'streams');
  const stepsPerEpoch = trainingBatches(training.ids, settings);
  const total = epochs * stepsPerEpoch;
  const warmupSteps = Math.round(WARM_UP * total);
  const learningRate = cosineDecay({
    ...{ initialLearningRate: 0, warmupTarget: settings.learningRate, warmupSteps },
    ...{ decaySteps: Math.max(1, total - warmupSteps), alpha: LAST_RATE },
  });
  // Streams start with zero states. In long streams, this has little influence on the validation loss.
  const streams = Math.max(1, Math.min(16, Math.floor(validation.ids.length / 2000)));
  return {
    batches: (epoch: number) => shiftedStreams(training.ids, settings, random.child(epoch)),
    stepsPerEpoch,
    validationData: () => parallelStreams(validation.ids, { streams, steps: 200 }),
    loss: { name: 'sparseCategoricalCrossentropy', fromLogits: true },
    optimizer: adam({ learningRate }),
    clip: { globalNorm: 1 },
    ...{ seed, epochs, ...(signal && { signal }) },
  };
}

/** Returns the model with the trained weights. Its layers do not carry states from call to call. */
function modelOf(
  trained: Sequential,
  shape: Omit<LanguageShape, 'stateful'>,
  { codec, sizes }: PreparedLanguageModel,
): LanguageModel {
  const network = languageNetwork({ ...shape, stateful: false });
  network.setWeights(trained.getWeights());
  const { cell, layers, units } = sizes;
  return new LanguageModel({ format: GENERATE_FORMAT, ...codec.config, cell, layers, units }, network);
}

const OPTIONS: OptionTypes<LanguageModelOptions & { onEvent?: unknown }> = {
  level: ['char', 'word', 'subword'],
  validation: true,
  lowercase: 'boolean',
  subwords: 'count',
  cell: CELL_NAMES,
  units: 'count',
  layers: 'count',
  embedding: 'count',
  dropout: 'fraction',
  weightDrop: 'fraction',
  epochs: 'count',
  streams: 'count',
  steps: 'count',
  learningRate: 'number',
  seed: 'nonNegativeInteger',
  ...RUN_CONTROL,
};

function checkOptions(options: LanguageModelOptions): void {
  checkNamesAndTypes('trainLanguageModel', options, OPTIONS);
  const { learningRate = 1 } = options;
  if (learningRate <= 0)
    throw valueError(`learningRate must be above 0, got ${learningRate}.`, { learningRate });
}
