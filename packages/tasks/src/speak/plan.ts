/** Plans the training of a voice: reads texts and sounds, splits off a validation set, and chooses the options that are not set. */
import { findColumn, type LengthSummary, summarizeLengths, type Table } from '@unroll/data';
import { cellError, filledTexts } from '../shared/cells.js';
import { batchSizeFor } from '../shared/length-batches.js';
import { randomRows } from '../shared/random-split.js';
import { type NamedSound, soundsOf } from '../shared/sounds.js';
import type { SpeakSizes } from './network.js';
import type { SpeakOptions } from './speak.js';
import { Characters, type EncodedCharacters } from './text.js';
import { type Spectrogram, Voice } from './voice.js';

/** Share of the rows in the validation set, and the largest number of rows in it. */
const VALIDATION_SHARE = 0.1;
const MAX_VALIDATION = 300;
/** Frames per step of the decoder: 50 ms, as in Tacotron (Wang et al. 2017). */
const REDUCTION = 4;
/** Longest sound in seconds: attention does not learn on recordings of whole paragraphs. */
const MAX_SECONDS = 30;
/** Planned number of training steps. It determines the default number of epochs, 20 to 200. */
const STEPS = 8_000;

export interface TrainingSettings {
  epochs: number;
  batchSize: number;
  learningRate: number;
  /** Training ends after this many epochs without an improvement. */
  patience: number;
  /** Largest probability of scheduled sampling. */
  sampling: number;
  seed: number;
}

/** Texts with their spectrograms. */
export interface EncodedSpeech {
  texts: readonly EncodedCharacters[];
  spectrograms: readonly Spectrogram[];
}

/** Everything that is decided before the training. */
export interface PreparedVoice {
  source: string;
  /** Names of the columns. */
  columns: { text: string; audio: string };
  characters: Characters;
  voice: Voice;
  training: EncodedSpeech;
  validation: EncodedSpeech;
  /** The validation texts as they are in the table. */
  validationTexts: readonly string[];
  /** Name of the validation file; null if the validation rows were split off from the training file. */
  validationSource: string | null;
  /** Lengths of the training sounds in frames. */
  lengths: LengthSummary;
  /** Total length of the training sounds in seconds. */
  seconds: number;
  /** Largest number of decoder steps per character in the training data. */
  stepsPerCharacter: number;
  sizes: SpeakSizes;
  settings: TrainingSettings;
}

/** A table of texts and sounds. */
interface Rows {
  table: Table;
  sounds: NamedSound[];
  texts: string[];
}

/**
 * Reads the tables and plans the training.
 * @throws UnrollError `data` for sounds that are invalid or too long, empty texts, and fewer than two rows
 */
export function prepare(table: Table, options: SpeakOptions): PreparedVoice {
  const { audio, text, lowercase = false, seed = 0, sampleRate, mels } = options;
  const rows = readRows(table, options);
  const validationFileRows = options.validation && readRows(options.validation, options);
  const split = validationFileRows
    ? { training: rows.texts.map((_, row) => row), validation: [] }
    : randomRows(table, { task: 'speak', share: VALIDATION_SHARE, max: MAX_VALIDATION, seed });
  const trainingRows = pick(rows, split.training);
  const characters = Characters.fit(trainingRows.texts, lowercase);
  const { voice, spectrograms } = Voice.fit(trainingRows.sounds, {
    ...{ ...(sampleRate && { sampleRate }), ...(mels && { mels }) },
  });
  const validation = validationFileRows ?? pick(rows, split.validation);
  const training = { texts: trainingRows.texts.map((text) => characters.encode(text)), spectrograms };
  const lengths = summarizeLengths(training.spectrograms.map(({ length }) => length));
  const reduction = options.reduction ?? REDUCTION;
  const stepsPerCharacter = training.texts.map(({ ids }, i) => Math.ceil(training.spectrograms[i].length / reduction) / ids.length); // biome-ignore format: one line
  const total = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
  return {
    source: table.source,
    ...{ columns: { text, audio }, characters, voice, training, lengths },
    validation: encodeRows(validation, characters, voice),
    validationTexts: validation.texts,
    validationSource: validationFileRows?.table.source ?? null,
    seconds: (lengths.mean * lengths.count) / voice.frameRate,
    stepsPerCharacter: stepsPerCharacter.reduce((a, b) => Math.max(a, b)),
    sizes: sizesOf(options, reduction, stepsPerCharacter.length / total(stepsPerCharacter)),
    settings: settingsOf(options, training, lengths.longest),
  };
}

function readRows(table: Table, { audio, text }: SpeakOptions): Rows {
  const texts = filledTexts(table, text, 'text', 'Remove the row or write the words that are spoken.');
  const sounds = soundsOf(table, audio);
  for (const [row, { samples, sampleRate }] of sounds.entries()) {
    const seconds = samples.length / sampleRate;
    if (seconds <= MAX_SECONDS) continue;
    const problem = `the sound must be at most ${MAX_SECONDS} s long, got ${seconds.toFixed(1)} s. Split it into sentences.`;
    throw cellError(table, row, findColumn(table, audio), problem);
  }
  return { table, sounds, texts };
}

const pick = ({ table, sounds, texts }: Rows, rows: readonly number[]): Rows => ({
  table,
  sounds: rows.map((row) => sounds[row]),
  texts: rows.map((row) => texts[row]),
});

const encodeRows = ({ sounds, texts }: Rows, characters: Characters, voice: Voice): EncodedSpeech => ({
  texts: texts.map((text) => characters.encode(text)),
  spectrograms: sounds.map((sound) => voice.encode(sound)),
});

const sizesOf = (options: SpeakOptions, reduction: number, pace: number): SpeakSizes => ({
  cell: options.cell ?? 'lstm',
  units: options.units ?? 256,
  layers: options.layers ?? 1,
  embedding: options.embedding ?? 128,
  dropout: options.dropout ?? 0.2,
  ...{ reduction, pace: Number(pace.toPrecision(4)) },
});

function settingsOf(options: SpeakOptions, { texts }: EncodedSpeech, longest: number): TrainingSettings {
  const batchSize = options.batchSize ?? batchSizeFor(texts.length < 500 ? 8 : 16, longest);
  const steps = Math.ceil(texts.length / batchSize);
  return {
    batchSize,
    epochs: options.epochs ?? Math.max(20, Math.min(200, Math.ceil(STEPS / steps))),
    learningRate: options.learningRate ?? 1e-3,
    patience: 10,
    sampling: options.sampling ?? 0.3,
    seed: options.seed ?? 0,
  };
}
