/**
 * Plans the training of a transcriber: reads sounds and transcripts, splits off a validation set, and chooses the tokens, how much
 * the network shortens sequences, and the training options that are not set.
 */
import { column, type LengthSummary, summarizeLengths, type Table } from '@unroll/data';
import { cellError, filledTexts } from '../shared/cells.js';
import { type EncodedSound, FrontEnd } from '../shared/front-end.js';
import { batchSizeFor } from '../shared/length-batches.js';
import { randomRows } from '../shared/random-split.js';
import { type NamedSound, soundsOf } from '../shared/sounds.js';
import { stepsOf, type TranscriberSizes } from './network.js';
import { levelOf, normalizeTranscript, stepsNeeded, TranscriptTokens } from './tokens.js';
import type { TranscribeDecoder, TranscribeOptions } from './transcribe.js';

/** Share of the rows in the validation set, and the largest number of rows in it. */
const VALIDATION_SHARE = 0.1;
const MAX_VALIDATION = 1000;
/** Numbers of frames per output step, in the order in which they are tried. */
const REDUCTIONS = [4, 2, 1];
/** Minimum number of output steps per token for 95 % of the transcripts. */
const MIN_STEPS_PER_TOKEN = 2.5;

export interface TrainingSettings {
  epochs: number;
  batchSize: number;
  learningRate: number;
  /** Training ends after this many epochs without an improvement. */
  patience: number;
  seed: number;
  /** True: sounds are augmented in training. */
  augment: boolean;
}

/** Encoded sounds with their transcripts as ids. */
export interface EncodedTranscripts {
  sounds: readonly EncodedSound[];
  ids: readonly Int32Array[];
}

/** Everything that is decided before the training. */
export interface PreparedTranscriber {
  source: string;
  /** Names of the columns. */
  columns: { audio: string; text: string };
  decoder: TranscribeDecoder;
  tokens: TranscriptTokens;
  frontEnd: FrontEnd;
  training: EncodedTranscripts;
  validation: EncodedTranscripts;
  /** All validation sounds. For CTC, `validation` does not contain sounds that are too short for their transcripts. */
  validationSounds: readonly EncodedSound[];
  /** Names and transcripts of the validation sounds. */
  validationRows: { name: string; text: string }[];
  /** Name of the validation file; null if the validation rows were split off from the training file. */
  validationSource: string | null;
  /** Lengths of the training sounds in frames. */
  lengths: LengthSummary;
  /** Total length of the training sounds in seconds. */
  seconds: number;
  /** Number of tokens of the validation transcripts that do not occur in the training transcripts. */
  unknown: number;
  sizes: TranscriberSizes;
  settings: TrainingSettings;
}

/** A table of sounds and transcripts. */
interface Rows {
  table: Table;
  sounds: NamedSound[];
  texts: string[];
}

/**
 * Reads the tables and plans the training.
 * @throws UnrollError `data` for invalid sounds, empty transcripts, fewer than two rows and, for CTC, transcripts that are too
 * long for their sound
 */
export function prepare(table: Table, options: TranscribeOptions): PreparedTranscriber {
  const { audio, text, lowercase = false, streaming = false, seed = 0 } = options;
  const rows = readRows(table, options);
  const validationFileRows = options.validation && readRows(options.validation, options);
  const split = validationFileRows
    ? { training: rows.texts.map((_, row) => row), validation: [] }
    : randomRows(table, { task: 'transcribe', share: VALIDATION_SHARE, max: MAX_VALIDATION, seed });
  const trainingTexts = split.training.map((row) => rows.texts[row]);
  const level = options.level ?? levelOf(trainingTexts);
  const tokens = TranscriptTokens.fit(trainingTexts, level, lowercase);
  const sounds = split.training.map((row) => rows.sounds[row]);
  const { sampleRate, mels, normalize } = options;
  const frontEnd = FrontEnd.fit(sounds, {
    ...{
      streaming,
      ...(sampleRate && { sampleRate }),
      ...(mels && { mels }),
      ...(normalize && { normalize }),
    },
  });
  const validation = validationFileRows ?? pick(rows, split.validation);
  const validationTokens = tokens.encode(validation.texts.join(' '));
  const training = encodeRows(pick(rows, split.training), tokens, frontEnd);
  const encodedValidation = encodeRows(validation, tokens, frontEnd);
  const reduction = options.reduction ?? reductionFor(training);
  const decoder = options.decoder ?? 'ctc';
  if (decoder === 'ctc')
    checkTranscriptLengths(rows.table, split.training, training, { reduction, frontEnd, text });
  const lengths = summarizeLengths(training.sounds.map(({ length }) => length));
  return {
    source: table.source,
    ...{ columns: { audio, text }, tokens, frontEnd, training },
    decoder,
    validation: decoder === 'ctc' ? withEnoughSteps(encodedValidation, reduction) : encodedValidation,
    validationSounds: encodedValidation.sounds,
    validationRows: validation.sounds.map(({ name }, i) => ({ name, text: validation.texts[i] })),
    validationSource: validationFileRows?.table.source ?? null,
    lengths,
    seconds: (lengths.mean * lengths.count) / frontEnd.frameRate,
    unknown: validationTokens.unknown,
    sizes: sizesOf(options, reduction),
    settings: settingsOf(options, training, lengths.longest),
  };
}

function readRows(table: Table, { audio, text, lowercase = false }: TranscribeOptions): Rows {
  const texts = filledTexts(table, text, 'transcript', 'Remove the row or write the words that are spoken.');
  const normalized = texts.map((transcript) => normalizeTranscript(transcript, lowercase));
  return { table, sounds: soundsOf(table, audio), texts: normalized };
}

const pick = ({ table, sounds, texts }: Rows, rows: readonly number[]): Rows => ({
  table,
  sounds: rows.map((row) => sounds[row]),
  texts: rows.map((row) => texts[row]),
});

const encodeRows = (
  { sounds, texts }: Rows,
  tokens: TranscriptTokens,
  frontEnd: FrontEnd,
): EncodedTranscripts => ({
  sounds: sounds.map((sound) => frontEnd.encode(sound)),
  ids: texts.map((text) => tokens.encode(text).ids),
});

/** Returns the largest reduction with enough steps for all transcripts, and at least MIN_STEPS_PER_TOKEN steps per token for 95 % of them; 1 if there is none. */
function reductionFor({ sounds, ids }: EncodedTranscripts): number {
  const fits = (reduction: number): boolean => {
    const steps = sounds.map(({ length }) => stepsOf(length, reduction));
    const longEnough = ids.filter((tokens, i) => steps[i] >= MIN_STEPS_PER_TOKEN * tokens.length).length;
    return ids.every((tokens, i) => steps[i] >= stepsNeeded(tokens)) && longEnough >= 0.95 * ids.length;
  };
  return REDUCTIONS.find(fits) ?? 1;
}

/** Checks the lengths of the transcripts. @throws UnrollError `data` for a transcript that is too long for its sound */
function checkTranscriptLengths(
  table: Table,
  rows: readonly number[],
  { sounds, ids }: EncodedTranscripts,
  { reduction, frontEnd, text }: { reduction: number; frontEnd: FrontEnd; text: string },
): void {
  const wrong = ids.findIndex((tokens, i) => stepsNeeded(tokens) > stepsOf(sounds[i].length, reduction));
  if (wrong < 0) return;
  const { length } = sounds[wrong];
  const problem =
    `the transcript needs at least ${stepsNeeded(ids[wrong])} steps, but the sound has only ` +
    `${stepsOf(length, reduction)} (${(length / frontEnd.frameRate).toFixed(2)} s, reduction ${reduction}). ` +
    'Check whether the transcript belongs to the sound.';
  throw cellError(table, rows[wrong], column(table, text), problem);
}

/** Returns the validation rows whose transcripts fit their sounds. The CTC loss of the others is infinite. */
function withEnoughSteps({ sounds, ids }: EncodedTranscripts, reduction: number): EncodedTranscripts {
  const fits = ids.map((tokens, i) => stepsNeeded(tokens) <= stepsOf(sounds[i].length, reduction));
  return { sounds: sounds.filter((_, i) => fits[i]), ids: ids.filter((_, i) => fits[i]) };
}

const sizesOf = (options: TranscribeOptions, reduction: number): TranscriberSizes => ({
  cell: options.cell ?? 'lstm',
  units: options.units ?? (options.streaming ? 160 : 96),
  layers: options.layers ?? 2,
  filters: 96,
  reduction,
  dropout: options.dropout ?? 0.3,
  streaming: options.streaming ?? false,
});

/** Planned number of training steps. It determines the default number of epochs, 15 to 100. */
const STEPS = 12_000;

function settingsOf(
  options: TranscribeOptions,
  { sounds }: EncodedTranscripts,
  longest: number,
): TrainingSettings {
  const size = sounds.length < 500 ? 8 : sounds.length < 20_000 ? 16 : 32;
  const batchSize = options.batchSize ?? batchSizeFor(size, longest);
  const steps = Math.ceil(sounds.length / batchSize);
  return {
    batchSize,
    epochs: options.epochs ?? Math.max(15, Math.min(100, Math.ceil(STEPS / steps))),
    learningRate: options.learningRate ?? 2e-3,
    patience: 8,
    seed: options.seed ?? 0,
    augment: options.augment ?? true,
  };
}
