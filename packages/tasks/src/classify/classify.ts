/**
 * `trainClassifier`: reads a table of texts, sequences, sounds or clips with labels and trains a classifier. The run is
 * planned by plan.ts; the network is built by network.ts. Training ends when the validation loss stops improving, and the
 * weights of the best epoch are kept.
 */
import { currentBackend, RandomStream, ready, valueError } from '@unroll/core';
import { checkOptions as checkNames, type OptionTypes } from '@unroll/core/internal';
import type { Table, Vectors, Vocabulary } from '@unroll/data';
import type { Functional } from '@unroll/nn';
import { adamw, polynomialDecay, type TrainOptions } from '@unroll/train';
import type { RunEvent } from '../shared/events.js';
import type { FrameOptions } from '../shared/frames/encoder.js';
import { checkFrameOptions, FRAME_OPTION_TYPES } from '../shared/frames/options.js';
import type { FileNormalization } from '../shared/front-end.js';
import { batchesOf } from '../shared/length-batches.js';
import { CELL_NAMES } from '../shared/recurrent-cells.js';
import { CheckpointedTrainer } from '../shared/resume.js';
import { RUN_CONTROL, type RunControl } from '../shared/run-control.js';
import { runToEnd } from '../shared/run-to-end.js';
import { type NetworkTraining, trainNetwork } from '../shared/training.js';
import { batchOf } from './inputs.js';
import { ClassifyModel } from './model.js';
import { type ClassifyCell, classifierNetworks } from './network.js';
import { CLASSIFY_FORMAT, type InputPipeline } from './pipeline.js';
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
   * What is subtracted from the log-mel frames of each sound. `level`: their mean, which removes the volume. `features`: the mean of
   * each frequency, which also removes the colour of a microphone and a voice. `none`: nothing. Default `level`.
   */
  normalize?: FileNormalization;
  /** Number of mel filters of sounds. Default 40. */
  mels?: number;
  /** Sample rate to which sounds are converted, in Hz. Default: the most frequent one, at most 16,000. */
  sampleRate?: number;
  /**
   * Whether inputs are changed at random in training: speed, frequencies and parts of sounds; position, size, angle and brightness
   * of clips. Default true.
   */
  augment?: boolean;
  /** Name of the column with the labels. */
  label: string;
  /** The mark between the labels of a row, which may have several or none. Default: each row has one label. */
  multiLabel?: string;
  /**
   * Rows for validation, with the same columns. Default: a tenth of the rows of each label; a fifth of fewer than 1,000
   * sequences, sounds or clips.
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
   * Number of networks, whose probabilities are averaged. Default: 5, or fewer for more than 500,000 words or steps; 1 for
   * clips.
   */
  networks?: number;
  /** Maximum number of epochs. Default: 30 for texts, 40 to 200 for sequences and 20 to 100 for clips, by their number. */
  epochs?: number;
  /** Inputs per training step. Default: from 8 to 64, by the number of inputs; fewer for very long sequences. */
  batchSize?: number;
  /** Learning rate of AdamW. Default 0.001 for texts and sequences, 0.003 for sounds, 0.004 for clips (it falls to 0). */
  learningRate?: number;
  /** Convert texts to lower case. Default false. */
  lowercase?: boolean;
  /** Seed of the split, the initial weights, shuffling and dropout. Default 0. */
  seed?: number;
}

export interface ClassifyResult {
  /** What was decided before the training. */
  plan: PreparedClassifier;
  /** The training of each network. The metric of an epoch is `accuracy`; there is none for several labels per input. */
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
 * Reads the tables and plans the training, without training.
 * @throws UnrollError `data` or `value` for invalid tables or options
 */
export function prepareClassifier(table: Table, options: ClassifyOptions): PreparedClassifier {
  checkOptions(options);
  return prepare(table, options);
}

/**
 * Like {@link prepareClassifier}, and reads the vectors.
 * @throws UnrollError `value` for vectors of another width than the option `embedding`
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
  const shape = {
    ...{ ...sizes, inputs: encoder.inputSize, frames, classes: labels.length, seeds, vectors: plan.vectors },
  };
  const { networks, joined } = classifierNetworks(shape);
  const trainer = new CheckpointedTrainer(options.store ?? null, options.budget);
  const trainings: NetworkTraining[] = [];
  for (const [n, network] of networks.entries()) {
    const info = { ...STAGE, model: sizes.cell, training: n + 1, trainings: networks.length };
    const training = trainingOptions(plan, seeds[n], options.signal);
    trainings.push(yield* trainNetwork(network, training, { info, trainer, patience: settings.patience }));
  }
  const model = modelOf(joined, plan);
  const { inputs, classes } = plan.validation;
  const probabilities = await model.probabilitiesOf(inputs);
  const scores = model.scores(classes, probabilities);
  const counted = `${encoder.kind}s`;
  yield { event: 'scores', ...summaryTable(scores, inputs.length, sizes.cell, counted) };
  for (const table of detailTables(scores, counted)) yield { event: 'table', ...table };
  const seconds = (performance.now() - start) / 1000;
  const epochs = trainings.map(({ bestEpoch }) => bestEpoch);
  yield resultEvent(plan, scores, { parameters: joined.countParams(), epochs, seconds });
  return { plan, trainings, scores, probabilities, model, seconds };
}

/**
 * Trains a classifier of texts, numeric sequences, sounds or clips.
 * @param table rows with an input and a label each
 * @param options those of the run; `onEvent` is called for every event
 * @throws UnrollError `data` or `value` for an invalid table or invalid options
 */
export async function trainClassifier(
  table: Table,
  { onEvent, ...options }: ClassifyOptions & { onEvent?: (event: RunEvent) => void },
): Promise<ClassifyResult> {
  return runToEnd(classifyEvents(table, options), onEvent);
}

/** Returns the options of the training run. Each epoch has its own random batches, the same in a resumed run. */
function trainingOptions(plan: PreparedClassifier, seed: number, signal?: AbortSignal): TrainOptions {
  const { encoder, training, validation, classWeights, settings, separator, labels } = plan;
  const { batchSize, epochs, weightDecay, augment } = settings;
  const random = new RandomStream(seed, 'classify', 'batches');
  const rowsOf = (epoch: number) => batchesOf(training.inputs, batchSize, random.child(epoch));
  const stepsPerEpoch = rowsOf(1).length;
  const learningRate = rateOf(settings, epochs * stepsPerEpoch);
  const several = separator === null ? null : labels.length;
  return {
    *batches(epoch: number) {
      const changes = augment ? random.child(epoch, 'changes') : null;
      for (const rows of rowsOf(epoch)) yield batchOf(encoder, training, rows, several, changes);
    },
    stepsPerEpoch,
    validationData: batchesOf(validation.inputs, encoder.batchSize(validation.inputs)).map((rows) =>
      batchOf(encoder, validation, rows, several),
    ),
    loss: {
      name: several === null ? 'sparseCategoricalCrossentropy' : 'binaryCrossentropy',
      fromLogits: true,
    },
    ...(several === null && { metrics: ['accuracy'] }),
    ...(classWeights !== null && { classWeights }),
    optimizer: adamw({ learningRate, weightDecay }),
    average: { momentum: 1 - 1 / Math.max(2, stepsPerEpoch) },
    clip: { globalNorm: 1 },
    ...{ seed, epochs, ...(signal && { signal }) },
  };
}

/** Returns the learning rate, or a schedule that falls with the square root of the remaining steps: slowly at first. */
function rateOf({ learningRate, decay }: PreparedClassifier['settings'], steps: number) {
  if (!decay) return learningRate;
  const common = { endLearningRate: 0, power: 0.5 };
  return polynomialDecay({ ...common, initialLearningRate: learningRate, decaySteps: steps });
}

function modelOf(network: Functional, plan: PreparedClassifier): ClassifyModel {
  const { columns, labels, encoder, sizes, separator } = plan;
  const { cell, layers, units } = sizes;
  const common = {
    format: CLASSIFY_FORMAT,
    ...{ label: columns.label, labels, cell, layers, units },
    ...(separator !== null && { multiLabel: separator }),
  } as const;
  return new ClassifyModel({ ...common, ...inputConfig(columns.input, encoder) }, network);
}

/** Returns what the pipeline stores about the inputs. */
function inputConfig(input: string, encoder: PreparedClassifier['encoder']): InputPipeline {
  if (encoder.kind === 'text') return { text: input, ...encoder.config };
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
  epochs: 'count',
  batchSize: 'count',
  learningRate: 'number',
  lowercase: 'boolean',
  seed: 'nonNegativeInteger',
  ...RUN_CONTROL,
};

/** Options that only classifiers of texts have. */
const TEXT_OPTIONS = ['embedding', 'vectors', 'lowercase'] as const;
/** Options that only classifiers of sequences have. */
const SEQUENCE_OPTIONS = ['filters'] as const;
/** Options that only classifiers of sounds have. */
const SOUND_OPTIONS = ['normalize', 'mels', 'sampleRate'] as const;
/** Options that only classifiers of clips have. */
const CLIP_OPTIONS = ['frameSize', 'colour', 'opticalDifference', 'framesPerClip'] as const;
/** Options that classifiers of sounds and clips have. */
const SIGNAL_OPTIONS = ['augment'] as const;
const INPUTS = ['text', 'sequence', 'audio', 'frames'] as const;
/** What the inputs of each column are called. */
const NAMES = { text: 'texts', sequence: 'sequences', audio: 'sounds', frames: 'clips' };

function checkOptions(options: ClassifyOptions): void {
  checkNames('trainClassifier', options, OPTIONS);
  const { label, multiLabel, learningRate = 1 } = options;
  if (learningRate <= 0)
    throw valueError(`learningRate must be above 0, got ${learningRate}.`, { learningRate });
  const [kind, ...others] = INPUTS.filter((name) => options[name] !== undefined);
  if (kind === undefined || others.length > 0) {
    const got = kind === undefined ? 'none' : others.length === 1 ? 'two' : others.length + 1;
    throw valueError(`Pass the column of the inputs as text, sequence, audio or frames, got ${got} of them.`);
  }
  if (options[kind] === label)
    throw valueError(`${kind} and label must be different columns, got "${label}" for both.`);
  if (multiLabel === '') throw valueError('multiLabel must be the mark between labels, got an empty string.');
  checkFrameOptions(options);
  const allowed: readonly [kinds: readonly string[], names: readonly (keyof ClassifyOptions)[]][] = [
    [['text'], TEXT_OPTIONS],
    [['sequence'], SEQUENCE_OPTIONS],
    [['audio'], SOUND_OPTIONS],
    [['frames'], CLIP_OPTIONS],
    [['audio', 'frames'], SIGNAL_OPTIONS],
  ];
  for (const [kinds, names] of allowed) {
    const name = kinds.includes(kind) ? undefined : names.find((each) => options[each] !== undefined);
    if (name === undefined) continue;
    const expected = kinds.map((each) => NAMES[each as keyof typeof NAMES]).join(' and ');
    throw valueError(`${name} is an option for ${expected}, but the inputs are ${NAMES[kind]}.`, { name });
  }
}
