/**
 * `trainTranscriber`: reads a table of sounds with transcripts and trains a model that transcribes speech, with connectionist
 * temporal classification (Graves et al. 2006) or an attention decoder. The transcripts need not be aligned with the sounds. The
 * run is planned by plan.ts; the network is built by network.ts or attention.ts. Training ends when the validation loss stops
 * improving, and the weights of the best epoch are kept.
 */
import { currentBackend, RandomStream, ready, tensor, valueError } from '@unroll/core';
import { checkOptions as checkNamesAndTypes, type OptionTypes } from '@unroll/core/internal';
import type { Table } from '@unroll/data';
import type { Functional } from '@unroll/nn';
import { adamw, type TrainOptions } from '@unroll/train';
import type { RunEvent } from '../shared/events.js';
import type { FileNormalization } from '../shared/front-end.js';
import { batchesOf } from '../shared/length-batches.js';
import { CELL_NAMES } from '../shared/recurrent-cells.js';
import { RUN_CONTROL, type RunControl } from '../shared/run-control.js';
import { runToEnd } from '../shared/run-to-end.js';
import { type NetworkTraining, trainSingleNetwork } from '../shared/training.js';
import { attentionBatch, attentionTranscribers, maxLengthOf } from './attention.js';
import { TranscribeModel, type Transcript } from './model.js';
import { type TranscribeCell, transcriberNetwork } from './network.js';
import { MAX_REDUCTION, TRANSCRIBE_FORMAT } from './pipeline.js';
import { type EncodedTranscripts, type PreparedTranscriber, prepare } from './plan.js';
import { planEvent, resultEvent } from './run-events.js';
import { scoreTable, type TranscribeScores, transcribeScores } from './scores.js';
import { BLANK, type TranscriptLevel } from './tokens.js';

const PADDING = -1;

/** The kind of decoder; see {@link TranscribeOptions.decoder}. */
export type TranscribeDecoder = 'ctc' | 'attention';

export interface TranscribeOptions extends RunControl {
  /** Name of the column with the sounds: the bytes of WAV files, or objects { samples, sampleRate }. */
  audio: string;
  /** Name of the column with the transcripts. */
  text: string;
  /** Rows for validation, with the same columns. Default: a tenth of the rows, at most 1,000. */
  validation?: Table;
  /**
   * What transcripts are split into. Default: `words` if there are at most 100 different words, which occur at least 20 times on
   * average, otherwise `characters`.
   */
  level?: TranscriptLevel;
  /**
   * `ctc`: each output step of the network is a token or the blank. `attention`: a decoder writes each token given the previous
   * tokens, and attends to the whole sound; it needs more training. Default `ctc`.
   */
  decoder?: TranscribeDecoder;
  /** Train a model that can transcribe sound while it arrives: no output depends on later sound. Default false. */
  streaming?: boolean;
  /** Frames per output step. Default: 4, 2 or 1, the largest number that leaves enough steps for the transcripts. */
  reduction?: number;
  /** What is subtracted from the log-mel frames of each sound. Default `level`; `none` for streaming. */
  normalize?: FileNormalization;
  /** Number of mel filters. Default 40. */
  mels?: number;
  /** Sample rate to which sounds are converted, in Hz. Default: the most frequent rate, at most 16,000. */
  sampleRate?: number;
  /** Augment the sounds in training: change speed and frequencies and mask parts of the frames, at random. Default true. */
  augment?: boolean;
  /** The recurrent cell. Default `lstm`. */
  cell?: TranscribeCell;
  /** Hidden units of each direction of each recurrent layer. Default 96; 160 for streaming, which has one direction. */
  units?: number;
  /** Recurrent layers. Default 2. */
  layers?: number;
  /** Dropout rate, from 0 to below 1. Default 0.3. */
  dropout?: number;
  /** Maximum number of epochs. Default: 15 to 100, by the number of sounds. */
  epochs?: number;
  /** Sounds per training step. Default: from 8 to 32, by the number of sounds; fewer for very long sounds. */
  batchSize?: number;
  /** Learning rate of AdamW. Default 0.002. */
  learningRate?: number;
  /** Convert transcripts to lower case. Default false. */
  lowercase?: boolean;
  /** Seed of the split, the initial weights, shuffling, dropout and augmentation. Default 0. */
  seed?: number;
}

export interface TranscribeResult {
  /** What was decided before the training. */
  plan: PreparedTranscriber;
  training: NetworkTraining;
  /** Transcripts of the validation sounds. */
  transcripts: Transcript[];
  scores: TranscribeScores;
  /** The trained model. It can be saved, and can predict and evaluate. */
  model: TranscribeModel;
  seconds: number;
}

/**
 * Reads the tables and plans the training, without training.
 * @throws UnrollError `data` or `value` for invalid tables or options
 */
export function prepareTranscriber(table: Table, options: TranscribeOptions): PreparedTranscriber {
  checkOptions(options);
  return prepare(table, options);
}

/** Trains a transcriber and yields the events of the run; the return value is the result. */
export async function* transcribeEvents(
  table: Table,
  options: TranscribeOptions,
): AsyncGenerator<RunEvent, TranscribeResult, void> {
  const start = performance.now();
  const plan = prepareTranscriber(table, options);
  await ready();
  yield { event: 'backend', backend: currentBackend().description };
  yield planEvent(plan);
  const { sizes, settings, validationRows } = plan;
  const [seed] = new RandomStream(settings.seed, 'transcribe', 'network').words(1);
  const networks = networksOf(plan, seed);
  const training = yield* trainSingleNetwork(networks.training, trainingOptions(plan, seed, options.signal), {
    ...{ model: sizes.cell, control: options, patience: settings.patience },
  });
  const model = modelOf(plan, networks.inference);
  const transcripts = await model.transcribeEncoded(plan.validationSounds);
  const texts = transcripts.map(({ text }) => text);
  const scores = transcribeScores(
    texts,
    validationRows.map(({ text }) => text),
  );
  yield { event: 'scores', ...scoreTable(scores, texts.length, sizes.cell) };
  const seconds = (performance.now() - start) / 1000;
  const trained = { parameters: networks.training.countParams(), epochs: training.bestEpoch, seconds };
  yield resultEvent(plan, scores, trained);
  return { plan, training, transcripts, scores, model, seconds };
}

/**
 * Trains a transcriber.
 * @param table each row has a sound and its transcript
 * @param options options of the run; `onEvent` is called for every event
 * @throws UnrollError `data` or `value` for an invalid table or invalid options
 */
export async function trainTranscriber(
  table: Table,
  { onEvent, ...options }: TranscribeOptions & { onEvent?: (event: RunEvent) => void },
): Promise<TranscribeResult> {
  return runToEnd(transcribeEvents(table, options), onEvent);
}

/** Builds the models for training and for inference. They share their weights. */
function networksOf(
  { sizes, tokens, frontEnd, decoder }: PreparedTranscriber,
  seed: number,
): { training: Functional; inference: Functional } {
  const inputs = frontEnd.width;
  if (decoder === 'attention')
    return attentionTranscribers(sizes, { inputs, tokens: tokens.config.tokens.length, seed });
  const network = transcriberNetwork(sizes, { inputs, classes: tokens.classes, seed });
  return { training: network, inference: network };
}

/** Returns the options of the training run. Each epoch has its own random batches, the same in a resumed run. */
function trainingOptions(plan: PreparedTranscriber, seed: number, signal?: AbortSignal): TrainOptions {
  const { training, validation, settings } = plan;
  const { batchSize, epochs, learningRate, augment } = settings;
  const random = new RandomStream(seed, 'transcribe', 'batches');
  const rowsOf = (epoch: number) => batchesOf(training.sounds, batchSize, random.child(epoch));
  const stepsPerEpoch = rowsOf(1).length;
  return {
    *batches(epoch: number) {
      const augmentation = augment ? random.child(epoch, 'changes') : null;
      for (const rows of rowsOf(epoch)) yield batchOf(plan, training, rows, augmentation);
    },
    stepsPerEpoch,
    validationData: batchesOf(validation.sounds, 64).map((rows) => batchOf(plan, validation, rows)),
    loss: LOSSES[plan.decoder],
    optimizer: adamw({ learningRate, weightDecay: 0.01 }),
    average: { momentum: 1 - 1 / Math.max(2, stepsPerEpoch) },
    clip: { globalNorm: 1 },
    ...{ seed, epochs, ...(signal && { signal }) },
  };
}

const LOSSES = {
  // Augmentation can shorten a sound to fewer steps than its transcript needs. With `zeroInfinity`, its loss is then 0.
  ctc: { name: 'ctc', blank: BLANK, padding: PADDING, zeroInfinity: true, normalize: 'targetLength' },
  attention: {
    name: 'sparseCategoricalCrossentropy',
    fromLogits: true,
    reduction: 'meanWithSampleWeight',
  },
} as const;

/** Returns a batch: for CTC, frames [B, T, width] and padded ids [B, L]; for an attention decoder, see `attentionBatch`. */
function batchOf(
  { frontEnd, decoder }: PreparedTranscriber,
  transcripts: EncodedTranscripts,
  rows: Uint32Array,
  random: RandomStream | null = null,
) {
  if (decoder === 'attention') return attentionBatch(frontEnd, transcripts, rows, random);
  const { sounds, ids } = transcripts;
  const { x, mask } = frontEnd.batch(sounds, rows, random);
  const longest = rows.reduce((length, row) => Math.max(length, ids[row].length), 1);
  const y = new Float32Array(rows.length * longest).fill(PADDING);
  for (const [i, row] of rows.entries()) y.set(ids[row], i * longest);
  return { x, y: tensor(y, [rows.length, longest]), ...(mask && { mask }) };
}

function modelOf(plan: PreparedTranscriber, network: TranscribeModel['network']): TranscribeModel {
  const { columns, frontEnd, tokens, sizes, decoder, training } = plan;
  const { cell, layers, units, reduction, streaming } = sizes;
  const pipeline = {
    format: TRANSCRIBE_FORMAT,
    ...{
      columns,
      frontEnd: frontEnd.config,
      tokens: tokens.config,
      reduction,
      streaming,
      cell,
      layers,
      units,
    },
    ...(decoder === 'attention' && { attention: { maxLength: maxLengthOf(training.ids) } }),
  } as const;
  return new TranscribeModel(pipeline, network);
}

const OPTIONS: OptionTypes<TranscribeOptions & { onEvent?: unknown }> = {
  audio: 'string',
  text: 'string',
  validation: true,
  level: ['characters', 'words'],
  decoder: ['ctc', 'attention'],
  streaming: 'boolean',
  reduction: 'count',
  normalize: ['features', 'level', 'none'],
  mels: 'count',
  sampleRate: 'count',
  augment: 'boolean',
  cell: CELL_NAMES,
  units: 'count',
  layers: 'count',
  dropout: 'fraction',
  epochs: 'count',
  batchSize: 'count',
  learningRate: 'number',
  lowercase: 'boolean',
  seed: 'nonNegativeInteger',
  ...RUN_CONTROL,
};

function checkOptions(options: TranscribeOptions): void {
  checkNamesAndTypes('trainTranscriber', options, OPTIONS);
  const { audio, text, learningRate = 1, streaming = false, normalize = 'none', reduction = 1 } = options;
  for (const [name, value] of Object.entries({ audio, text }))
    if (value === undefined)
      throw valueError(
        `The option ${name} is missing: pass the name of the column with the ${name === 'audio' ? 'sounds' : 'transcripts'}.`,
      );
  if (learningRate <= 0)
    throw valueError(`learningRate must be above 0, got ${learningRate}.`, { learningRate });
  if (audio === text) throw valueError(`audio and text must be different columns, got "${audio}" for both.`);
  if (streaming && options.decoder === 'attention')
    throw valueError(
      'decoder must be "ctc" for streaming: an attention decoder reads the whole sound. Omit one of the two options ' +
        '(command line: --decoder, --streaming).',
    );
  if (reduction > MAX_REDUCTION)
    throw valueError(`reduction must be at most ${MAX_REDUCTION}, got ${reduction}.`);
  if (streaming && normalize !== 'none')
    throw valueError(
      `normalize must be "none" for streaming, got "${normalize}": the mean of a sound is not known before its end (command line: --normalize).`,
    );
}
