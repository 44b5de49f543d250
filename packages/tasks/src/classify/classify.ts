/**
 * `trainClassifier`: reads a table of texts, sequences, sounds or clips with labels and trains a classifier. The run is
 * planned by plan.ts; the network is built by network.ts. Training ends when the validation loss stops improving, and the
 * weights of the best epoch are kept.
 */
import { currentBackend, RandomStream, ready, valueError } from '@unroll/core';
import { checkOptions as checkNamesAndTypes, type OptionTypes } from '@unroll/core/internal';
import type { Table, Vectors, Vocabulary } from '@unroll/data';
import type { Functional } from '@unroll/nn';
import { adam, adamw, polynomialDecay, type TrainOptions } from '@unroll/train';
import type { RunEvent } from '../shared/events.js';
import type { FrameOptions } from '../shared/frames/encoder.js';
import { checkFrameOptions, FRAME_OPTION_TYPES } from '../shared/frames/options.js';
import type { FileNormalization } from '../shared/front-end.js';
import { batchesOf, batchSizeFor, longestOf } from '../shared/length-batches.js';
import { CELL_NAMES } from '../shared/recurrent-cells.js';
import { CheckpointedTrainer } from '../shared/resume.js';
import { RUN_CONTROL, type RunControl } from '../shared/run-control.js';
import { runToEnd } from '../shared/run-to-end.js';
import { type NetworkTraining, trainNetwork } from '../shared/training.js';
import { batchOf, inferenceBatches, ngramBatchOf } from './inputs.js';
import { ClassifyModel } from './model.js';
import { type ClassifyCell, classifierNetworks } from './network.js';
import { type NGramModel, ngramModelOf, tokensOf } from './ngram-model.js';
import { ngramBatchSize } from './ngrams.js';
import { CLASSIFY_FORMAT, type ClassifyPipeline, type InputPipeline } from './pipeline.js';
import { type PreparedClassifier, prepare } from './plan.js';
import { planEvent, resultEvent } from './run-events.js';
import { type ClassifyScores, detailTables, summaryTable } from './scores.js';

const STAGE = { stage: 'train', title: 'training' };

export interface ClassifyOptions extends RunControl, FrameOptions {
  /** Name of the column with the texts. One of `text`, `sequence`, `audio` and `frames` is required. */
  text?: string;
  /**
   * Name of the column with numeric sequences, such as sensor data: lists of steps, each a number or nested lists of numbers.
   * null and NaN are missing values.
   */
  sequence?: string;
  /** Name of the column with sounds: the bytes of WAV files, or objects { samples, sampleRate }. */
  audio?: string;
  /** Name of the column with clips: lists of images { width, height, data }, or arrays { shape, values }. */
  frames?: string;
  /**
   * What is subtracted from the log-mel frames of each sound. `level`: their mean, which removes differences in loudness.
   * `features`: the mean of each mel filter, which also removes the frequency response of the microphone and much of the timbre
   * of the voice. `none`: nothing. Default `level`.
   */
  normalize?: FileNormalization;
  /** Number of mel filters of sounds. Default 40. */
  mels?: number;
  /** Sample rate to which sounds are converted, in Hz. Default: the most frequent rate of the training sounds, at most 16,000. */
  sampleRate?: number;
  /**
   * Whether inputs are augmented in training. For sounds, the speed and the frequencies are changed and parts of the
   * spectrogram masked, at random; for clips, the selection of frames, position, size, angle, contrast and brightness are random.
   * Default true.
   */
  augment?: boolean;
  /** Name of the column with the labels. */
  label: string;
  /** Separator of the labels of a row, for rows with several labels or none. Default: each row has one label. */
  multiLabel?: string;
  /**
   * Rows for validation, with the same columns. Default: a tenth of the rows of each label or, if there are fewer than 1,000
   * sequences, sounds or clips, a fifth. With `multiLabel`, they are drawn from all rows, not from those of each label.
   */
  validation?: Table;
  /** The recurrent cell, see {@link RecurrentCellName}. Default `lstm`. */
  cell?: ClassifyCell;
  /** Hidden units of each direction of each recurrent layer. Default 64. */
  units?: number;
  /** Recurrent layers. Default 1. */
  layers?: number;
  /** Filters of each of the two convolutions over the steps of numeric sequences; 0: no convolutions. Default 64. */
  filters?: number;
  /** Width of the embedding of texts. Default: the width of `vectors`, or 100. */
  embedding?: number;
  /**
   * Returns pretrained vectors for the vocabulary, from which the embedding of texts starts:
   * `(vocabulary) => readVectors(stream, { vocabulary })`. Default: random vectors.
   */
  vectors?: (vocabulary: Vocabulary) => Promise<Vectors>;
  /** Dropout rate, from 0 to below 1. Default 0.5; 0.2 for clips. */
  dropout?: number;
  /**
   * Number of networks, whose probabilities are averaged. Default: 1 for clips, or for at least 2,000,000 training tokens or
   * steps; otherwise 3 for texts with n-grams, or for at least 500,000 training tokens or steps; otherwise 5.
   */
  networks?: number;
  /**
   * Whether a model of n-grams of words and characters is trained as well, whose probabilities are averaged with those of the
   * networks. Only for texts with fewer than 2,000,000 training tokens and at most 500 labels; beyond these limits,
   * true raises an error. Default: true within these limits, otherwise false.
   */
  ngrams?: boolean;
  /**
   * Maximum number of epochs. Default: 30 for texts; 40 to 200 for sequences and sounds, and 20 to 100 for clips (more epochs if
   * there are few inputs).
   */
  epochs?: number;
  /**
   * Inputs per training step. Default: 8 to 64 (clips: at most 16), depending on the number of inputs; fewer for very long inputs
   * and large clips.
   */
  batchSize?: number;
  /**
   * Learning rate of AdamW. Default 0.001 for texts and sequences, 0.003 for sounds, 0.004 for clips. For clips, the learning rate
   * falls to 0 over the epochs.
   */
  learningRate?: number;
  /** Whether texts are converted to lower case. Default false. */
  lowercase?: boolean;
  /** Seed of the split, the initial weights, shuffling and dropout. Default 0. */
  seed?: number;
}

export interface ClassifyResult {
  /** The encoded inputs, and the settings that were chosen before the training. */
  plan: PreparedClassifier;
  /**
   * The training of each recurrent network. The validation metric of an epoch is `accuracy`; with several labels per input, there
   * is none.
   */
  trainings: NetworkTraining[];
  /** Scores on the validation inputs. */
  scores: ClassifyScores;
  /** Probabilities of the labels of each validation input. */
  probabilities: Float64Array[];
  /** The trained model. It can be saved, and can predict and evaluate. */
  model: ClassifyModel;
  seconds: number;
}

/**
 * Reads the tables and returns the plan of the training, without training.
 * @throws UnrollError `data` or `value` for invalid tables or options
 */
export function prepareClassifier(table: Table, options: ClassifyOptions): PreparedClassifier {
  checkOptions(options);
  return prepare(table, options);
}

/**
 * Returns the plan like {@link prepareClassifier}, with the vectors that the option `vectors` returns.
 * @throws UnrollError `value` if the width of the vectors is not the option `embedding`
 */
export async function prepareWithVectors(
  table: Table,
  options: ClassifyOptions,
): Promise<PreparedClassifier> {
  const plan = prepareClassifier(table, options);
  const { encoder, sizes } = plan;
  if (options.vectors === undefined || encoder.kind !== 'text') return plan;
  const vectors = await options.vectors(encoder.vocabulary);
  const { width } = vectors;
  if (options.embedding !== undefined && options.embedding !== width) {
    throw valueError(`embedding must be ${width}, the width of the vectors, got ${options.embedding}.`, {
      ...{ width, embedding: options.embedding },
    });
  }
  return { ...plan, vectors, sizes: { ...sizes, embedding: width } };
}

/** Trains a classifier and yields the events of the run; the return value is the result. */
export async function* classifyEvents(
  table: Table,
  options: ClassifyOptions,
): AsyncGenerator<RunEvent, ClassifyResult, void> {
  const start = performance.now();
  const plan = await prepareWithVectors(table, options);
  await ready();
  yield { event: 'backend', backend: currentBackend().description };
  yield planEvent(plan);
  const { sizes, settings, encoder, labels } = plan;
  const random = new RandomStream(settings.seed, 'classify', 'networks');
  const seeds = [...random.words(settings.networks)];
  const frames = encoder.kind === 'clip' ? encoder.frames.shape : null;
  const ngrams = encoder.kind === 'text' ? ngramModelOf(plan, encoder) : null;
  const shape = {
    ...{ ...sizes, inputs: encoder.inputSize, frames, classes: labels.length, seeds, vectors: plan.vectors },
  };
  const { networks, joined } = classifierNetworks({ ...shape, ngrams: ngrams?.network ?? null });
  const trainer = new CheckpointedTrainer(options.store ?? null, options.budget);
  const trainings: NetworkTraining[] = [];
  const count = networks.length + Number(ngrams !== null);
  for (const [n, network] of networks.entries()) {
    const info = { ...STAGE, model: sizes.cell, training: n + 1, trainings: count };
    const training = trainingOptions(plan, seeds[n], options.signal);
    trainings.push(yield* trainNetwork(network, training, { info, trainer, patience: settings.patience }));
  }
  if (ngrams !== null) {
    const info = { ...STAGE, model: 'n-grams', training: count, trainings: count };
    const training = ngramTrainingOptions(plan, ngrams, options.signal);
    yield* trainNetwork(ngrams.network, training, { info, trainer, patience: NGRAM_PATIENCE });
  }
  const model = await modelOf(joined, plan);
  const { inputs, classes } = plan.validation;
  const probabilities = await model.probabilitiesOf(inputs);
  const scores = model.scores(classes, probabilities);
  const noun = `${encoder.kind}s`;
  yield { event: 'scores', ...summaryTable(scores, inputs.length, sizes.cell, noun) };
  for (const table of detailTables(scores, noun)) yield { event: 'table', ...table };
  const seconds = (performance.now() - start) / 1000;
  const epochs = trainings.map(({ bestEpoch }) => bestEpoch);
  yield resultEvent(plan, scores, { parameters: joined.countParams(), epochs, seconds });
  return { plan, trainings, scores, probabilities, model, seconds };
}

/**
 * Trains a classifier of texts, numeric sequences, sounds or clips.
 * @param table each row has an input and its label or labels
 * @param options options of the run; `onEvent` is called for every event
 * @throws UnrollError `data` or `value` for an invalid table or invalid options
 */
export async function trainClassifier(
  table: Table,
  { onEvent, ...options }: ClassifyOptions & { onEvent?: (event: RunEvent) => void },
): Promise<ClassifyResult> {
  return runToEnd(classifyEvents(table, options), onEvent);
}

/** Returns the options that all training runs share. The random batches of an epoch are the same in a resumed run. */
function commonOptions(
  plan: PreparedClassifier,
  { seed, batchSize, signal }: { seed: number; batchSize: number; signal: AbortSignal | undefined },
) {
  const { training, classWeights, settings, separator, labels } = plan;
  const random = new RandomStream(seed, 'classify', 'batches');
  const epochBatches = (epoch: number) => batchesOf(training.inputs, batchSize, random.child(epoch));
  const labelCount = separator === null ? null : labels.length;
  const loss = labelCount === null ? 'sparseCategoricalCrossentropy' : 'binaryCrossentropy';
  const options = {
    stepsPerEpoch: epochBatches(1).length,
    loss: { name: loss, fromLogits: true },
    ...(labelCount === null && { metrics: ['accuracy'] }),
    ...(classWeights !== null && { classWeights }),
    ...{ seed, epochs: settings.epochs, ...(signal && { signal }) },
  } satisfies Partial<TrainOptions>;
  return { options, random, epochBatches, labelCount };
}

/** Returns the training options of a recurrent network. */
function trainingOptions(plan: PreparedClassifier, seed: number, signal?: AbortSignal): TrainOptions {
  const { encoder, training, validation, settings } = plan;
  const { weightDecay, augment, batchSize } = settings;
  const { options, random, epochBatches, labelCount } = commonOptions(plan, { seed, batchSize, signal });
  const validationBatches = batchesOf(validation.inputs, encoder.batchSize(validation.inputs));
  const learningRate = rateOf(settings, settings.epochs * options.stepsPerEpoch);
  return {
    ...options,
    *batches(epoch: number) {
      const augmentation = augment ? random.child(epoch, 'changes') : null;
      for (const rows of epochBatches(epoch))
        yield batchOf(encoder, training, rows, labelCount, augmentation);
    },
    validationData: validationBatches.map((rows) => batchOf(encoder, validation, rows, labelCount)),
    optimizer: adamw({ learningRate, weightDecay }),
    average: { momentum: 1 - 1 / Math.max(2, options.stepsPerEpoch) },
    clip: { globalNorm: 1 },
  };
}

/**
 * Returns the learning rate or, with `decay`, a schedule that is proportional to the square root of the number of remaining
 * steps, so that it falls slowly at first.
 */
function rateOf({ learningRate, decay }: PreparedClassifier['settings'], steps: number) {
  if (!decay) return learningRate;
  const common = { endLearningRate: 0, power: 0.5 };
  return polynomialDecay({ ...common, initialLearningRate: learningRate, decaySteps: steps });
}

/** The n-gram model starts from naive Bayes and converges within a few epochs. */
const NGRAM_LEARNING_RATE = 0.05;
const NGRAM_PATIENCE = 2;

/**
 * Returns the training options of the n-gram model. If a batch would not fit into memory, it is divided into smaller ones whose
 * gradients are accumulated.
 */
function ngramTrainingOptions(
  plan: PreparedClassifier,
  { encoder, config }: NGramModel,
  signal?: AbortSignal,
): TrainOptions {
  const { training, validation, settings, labels } = plan;
  const size = batchSizeFor(settings.batchSize, longestOf(training.inputs));
  const maxSize = ngramBatchSize(tokensOf(training).tokens, config, labels.length);
  const accumulate = Math.ceil(size / maxSize);
  const { options, epochBatches, labelCount } = commonOptions(plan, {
    ...{ seed: settings.seed, batchSize: Math.ceil(size / accumulate), signal },
  });
  return {
    ...options,
    accumulate,
    *batches(epoch: number) {
      for (const rows of epochBatches(epoch)) yield ngramBatchOf(encoder, training, rows, labelCount);
    },
    // Batches of n-grams are large, so each of them is created when it is needed.
    *validationData() {
      for (const rows of inferenceBatches(encoder, validation.inputs, labels.length))
        yield ngramBatchOf(encoder, validation, rows, labelCount);
    },
    optimizer: adam({ learningRate: NGRAM_LEARNING_RATE }),
  };
}

/** Returns the trained model. The n-gram model gets the weight with the lowest validation loss. */
async function modelOf(network: Functional, plan: PreparedClassifier): Promise<ClassifyModel> {
  const { encoder, validation, classWeights } = plan;
  const model = new ClassifyModel(pipelineOf(plan), network);
  if (encoder.kind !== 'text' || encoder.ngrams === null) return model;
  return new ClassifyModel(pipelineOf(plan, await model.bestNGramWeight(validation, classWeights)), network);
}

/** Returns the content of pipeline.json. @param weight weight of the n-gram model, if there is one */
function pipelineOf(
  { columns, labels, encoder, sizes, separator }: PreparedClassifier,
  weight = 0.5,
): ClassifyPipeline {
  const { cell, layers, units } = sizes;
  const common = {
    format: CLASSIFY_FORMAT,
    ...{ label: columns.label, labels, cell, layers, units },
    ...(separator !== null && { multiLabel: separator }),
  } as const;
  return { ...common, ...inputConfig(columns.input, encoder, weight) };
}

/** Returns the part of pipeline.json about the inputs. */
function inputConfig(input: string, encoder: PreparedClassifier['encoder'], weight: number): InputPipeline {
  if (encoder.kind === 'text') {
    const { config, ngrams } = encoder;
    return { text: input, ...config, ...(ngrams && { ngrams: { ...ngrams, weight } }) };
  }
  if (encoder.kind === 'sequence') return { sequence: input, ...encoder.config };
  return encoder.kind === 'sound'
    ? { audio: input, ...encoder.config }
    : { frames: input, ...encoder.config };
}

const OPTIONS: OptionTypes<ClassifyOptions & { onEvent?: unknown }> = {
  text: 'string',
  sequence: 'string',
  audio: 'string',
  frames: 'string',
  ...FRAME_OPTION_TYPES,
  normalize: ['features', 'level', 'none'],
  mels: 'count',
  sampleRate: 'count',
  augment: 'boolean',
  label: 'string',
  multiLabel: 'string',
  validation: true,
  cell: CELL_NAMES,
  units: 'count',
  layers: 'count',
  filters: 'nonNegativeInteger',
  embedding: 'count',
  vectors: 'function',
  dropout: 'fraction',
  networks: 'count',
  ngrams: 'boolean',
  epochs: 'count',
  batchSize: 'count',
  learningRate: 'number',
  lowercase: 'boolean',
  seed: 'nonNegativeInteger',
  ...RUN_CONTROL,
};

/** Options that only classifiers of texts have. */
const TEXT_OPTIONS = ['embedding', 'vectors', 'lowercase', 'ngrams'] as const;
/** Options that only classifiers of sequences have. */
const SEQUENCE_OPTIONS = ['filters'] as const;
/** Options that only classifiers of sounds have. */
const SOUND_OPTIONS = ['normalize', 'mels', 'sampleRate'] as const;
/** Options that only classifiers of clips have. */
const CLIP_OPTIONS = ['frameSize', 'colour', 'opticalDifference', 'framesPerClip'] as const;
/** Options that classifiers of sounds and clips have. */
const SIGNAL_OPTIONS = ['augment'] as const;
const INPUTS = ['text', 'sequence', 'audio', 'frames'] as const;
/** Plural nouns for the inputs, by the option that names their column. */
const NAMES = { text: 'texts', sequence: 'sequences', audio: 'sounds', frames: 'clips' };

function checkOptions(options: ClassifyOptions): void {
  checkNamesAndTypes('trainClassifier', options, OPTIONS);
  const { label, multiLabel, learningRate = 1 } = options;
  if (learningRate <= 0)
    throw valueError(`learningRate must be above 0, got ${learningRate}.`, { learningRate });
  const [kind, ...others] = INPUTS.filter((name) => options[name] !== undefined);
  if (kind === undefined || others.length > 0) {
    const got = kind === undefined ? 'none' : others.length === 1 ? 'two' : others.length + 1;
    throw valueError(
      `Pass the name of the column with the inputs in one of the options text, sequence, audio and frames, got ${got} of them.`,
    );
  }
  if (options[kind] === label)
    throw valueError(`${kind} and label must be different columns, got "${label}" for both.`);
  if (multiLabel === '') throw valueError('multiLabel must be the separator of labels, got an empty string.');
  checkFrameOptions(options);
  const allowed: readonly [kinds: readonly string[], names: readonly (keyof ClassifyOptions)[]][] = [
    [['text'], TEXT_OPTIONS],
    [['sequence'], SEQUENCE_OPTIONS],
    [['audio'], SOUND_OPTIONS],
    [['frames'], CLIP_OPTIONS],
    [['audio', 'frames'], SIGNAL_OPTIONS],
  ];
  for (const [kinds, names] of allowed) {
    const name = kinds.includes(kind) ? undefined : names.find((option) => options[option] !== undefined);
    if (name === undefined) continue;
    const expected = kinds.map((input) => NAMES[input as keyof typeof NAMES]).join(' and ');
    throw valueError(`${name} is an option for ${expected}, but the inputs are ${NAMES[kind]}.`, { name });
  }
}
