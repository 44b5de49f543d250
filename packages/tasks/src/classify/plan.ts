/**
 * Plans the training of a classifier: reads and encodes the examples, splits off validation rows, and chooses class weights and the
 * training options that are not set.
 */
import { type LengthSummary, placeOf, summarizeLengths, type Table, type Vectors } from '@unroll/data';
import { clipsOf } from '../shared/frames/clips.js';
import { FrameEncoder } from '../shared/frames/encoder.js';
import { FrontEnd } from '../shared/front-end.js';
import { batchesOf, batchSizeFor } from '../shared/length-batches.js';
import { soundsOf } from '../shared/sounds.js';
import type { ClassifyOptions } from './classify.js';
import { ClipEncoder } from './clips.js';
import { type TokenEncoder, textsOf } from './encoder.js';
import type { EncodedExamples, EncodedInput } from './inputs.js';
import {
  classesOf,
  classWeightsOf,
  distinctLabels,
  type RowSplit,
  randomSplit,
  readLabels,
  stratifiedSplit,
} from './labels.js';
import type { ClassifierSizes } from './network.js';
import { planTexts } from './plan-texts.js';
import { missingShare, SequenceEncoder, sequencesOf } from './sequences.js';
import { SoundEncoder } from './sounds.js';

/**
 * Share of the rows for validation. For few sequences, sounds or clips, the share is larger, because scores on a tenth of them
 * would depend on chance.
 */
const VALIDATION_SHARE = 0.1;
const FEW_ROWS = 1000;
const FEW_ROWS_SHARE = 0.2;
/**
 * Below this number of training tokens or steps, five networks are trained (with an n-gram model, three); below `MANY_STEPS`,
 * three; otherwise one.
 */
const FEW_STEPS = 500_000;
const MANY_STEPS = 2_000_000;

export interface TrainingSettings {
  epochs: number;
  batchSize: number;
  learningRate: number;
  /** Whether the learning rate falls to 0 over the epochs. */
  decay: boolean;
  /** Decoupled weight decay (Loshchilov & Hutter 2019). */
  weightDecay: number;
  /** Training ends after this many epochs without an improvement. */
  patience: number;
  /** Number of networks, whose probabilities are averaged. */
  networks: number;
  seed: number;
  /** Whether sounds and clips are augmented in training. */
  augment: boolean;
}

/** The encoded examples, and the settings that are chosen before the training. */
export interface PreparedClassifier {
  source: string;
  /** Names of the columns. */
  columns: { input: string; label: string };
  labels: readonly string[];
  /** The separator of the labels of an input; null: each input has one label. */
  separator: string | null;
  encoder: TokenEncoder | SequenceEncoder | SoundEncoder | ClipEncoder;
  training: EncodedExamples;
  validation: EncodedExamples;
  /** What the report shows for each validation input: the text, the row of a sequence, or the file of a sound or clip. */
  validationTexts: readonly string[];
  /** Name of the validation file; null if the validation rows were split off the training rows. */
  validationSource: string | null;
  /** Lengths of the training inputs in tokens or steps, before they are cut. */
  lengths: LengthSummary;
  /** Number of training texts that are cut. */
  cut: number;
  /** Weight of each class; null if the classes are balanced or an input may have several labels. */
  classWeights: number[] | null;
  /** Share of the tokens of the validation texts that are in the vocabulary; null for other inputs. */
  coverage: number | null;
  /** Share of the values of sequences that are missing; 0 for other inputs. */
  missing: number;
  sizes: ClassifierSizes;
  settings: TrainingSettings;
  /** Pretrained vectors of the vocabulary; null: none. */
  vectors: Vectors | null;
}

/** The encoder, the encoded inputs and their statistics, such as lengths. */
interface InputPlan
  extends Pick<
    PreparedClassifier,
    'encoder' | 'lengths' | 'cut' | 'coverage' | 'missing' | 'validationTexts'
  > {
  training: readonly EncodedInput[];
  validation: readonly EncodedInput[];
}

/**
 * Reads the tables and returns the plan of the training.
 * @throws UnrollError `data` for invalid inputs, empty labels, fewer than two labels, and a label with a single row if validation
 *   rows are split off; `value` if the option `ngrams` is true for too many tokens or labels
 */
export function prepare(table: Table, options: ClassifyOptions): PreparedClassifier {
  const { text, sequence, audio, frames, label, multiLabel: separator = null, validation } = options;
  const reader = readerOf(options)(table, validation);
  const cells = readLabels(table, label, separator);
  const labels = distinctLabels(table, label, cells, separator === null && validation === undefined);
  const classes = classesOf(table, label, cells, labels);
  const validationFileClasses =
    validation && classesOf(validation, label, readLabels(validation, label, separator), labels);
  const split = validationFileClasses
    ? { training: Array.from(classes.keys()), validation: [] }
    : splitRows(classes, labels.length, options);
  const classesAt = (rows: readonly number[]) => rows.map((row) => classes[row]);
  const plan = reader(split, labels.length);
  const trainingClasses = classesAt(split.training);
  return {
    source: table.source,
    columns: { input: text ?? sequence ?? audio ?? frames ?? '', label },
    ...{ labels, separator },
    ...plan,
    training: { inputs: plan.training, classes: trainingClasses },
    validation: { inputs: plan.validation, classes: validationFileClasses ?? classesAt(split.validation) },
    validationSource: validation?.source ?? null,
    classWeights: separator === null ? classWeightsOf(trainingClasses, labels.length) : null,
    sizes: sizesOf(options),
    settings: settingsOf(options, plan),
    vectors: null,
  };
}

function splitRows(classes: readonly Int32Array[], count: number, options: ClassifyOptions): RowSplit {
  const { seed = 0, text, multiLabel } = options;
  const isFew = text === undefined && classes.length < FEW_ROWS;
  const split = multiLabel === undefined ? stratifiedSplit : randomSplit;
  return split(classes, count, isFew ? FEW_ROWS_SHARE : VALIDATION_SHARE, seed);
}

/** Reads the inputs of the tables and returns a function that encodes them, given the split of the rows and the number of labels. */
type InputReader = (
  table: Table,
  validation: Table | undefined,
) => (split: RowSplit, labels: number) => InputPlan;

function readerOf(options: ClassifyOptions): InputReader {
  const { text, sequence, audio, frames = '' } = options;
  if (text !== undefined) return textsReader(text, options);
  if (sequence !== undefined) return sequencesReader(sequence);
  return audio === undefined ? clipsReader(frames, options) : soundsReader(audio, options);
}

const textsReader =
  (name: string, { lowercase = false, vectors, ngrams }: ClassifyOptions): InputReader =>
  (table, validation) => {
    const texts = textsOf(table, name);
    const validationFileTexts = validation && textsOf(validation, name);
    return (split, labels) => {
      const textsAt = (rows: readonly number[]) => rows.map((row) => texts[row]);
      const validationTexts = validationFileTexts ?? textsAt(split.validation);
      const plan = planTexts(name, textsAt(split.training), validationTexts, {
        ...{ lowercase, labels, ngrams },
        keepRare: vectors !== undefined,
      });
      return { ...plan, validationTexts, missing: 0 };
    };
  };

const sequencesReader =
  (name: string): InputReader =>
  (table, validation) => {
    const sequences = sequencesOf(table, name);
    const validationFileSequences = validation && sequencesOf(validation, name, sequences[0].features);
    return (split) => {
      const sequencesAt = (rows: readonly number[]) => rows.map((row) => sequences[row]);
      const training = sequencesAt(split.training);
      const encoder = SequenceEncoder.fit(name, training, table.source);
      const encoded = training.map((sequence) => encoder.encode(sequence));
      return {
        encoder,
        training: encoded,
        validation: (validationFileSequences ?? sequencesAt(split.validation)).map((sequence) =>
          encoder.encode(sequence),
        ),
        validationTexts:
          validationFileSequences?.map((_, row) => placeOf(validation ?? table, row)) ??
          split.validation.map((row) => placeOf(table, row)),
        lengths: summarizeLengths(encoded.map(({ length }) => length)),
        ...{ cut: 0, coverage: null, missing: missingShare(training) },
      };
    };
  };

/** Returns a reader of sounds. The plan contains their frames, but not their samples. */
const soundsReader =
  (name: string, { sampleRate, mels, normalize }: ClassifyOptions): InputReader =>
  (table, validation) => {
    const sounds = soundsOf(table, name);
    const validationFileSounds = validation && soundsOf(validation, name);
    return (split) => {
      const soundsAt = (rows: readonly number[]) => rows.map((row) => sounds[row]);
      const training = soundsAt(split.training);
      const frontEnd = FrontEnd.fit(training, {
        ...(sampleRate && { sampleRate }),
        ...(mels && { mels }),
        ...(normalize && { normalize }),
      });
      const encoder = new SoundEncoder(name, frontEnd);
      const validation = validationFileSounds ?? soundsAt(split.validation);
      const encoded = training.map((sound) => encoder.encode(sound));
      return {
        encoder,
        training: encoded,
        validation: validation.map((sound) => encoder.encode(sound)),
        validationTexts: validation.map(({ name }) => name),
        lengths: summarizeLengths(encoded.map(({ length }) => length)),
        ...{ cut: 0, coverage: null, missing: 0 },
      };
    };
  };

/** Returns a reader of clips. The plan contains their resized frames. */
const clipsReader =
  (name: string, options: ClassifyOptions): InputReader =>
  (table, validation) => {
    const clips = clipsOf(table, name);
    const validationFileClips = validation && clipsOf(validation, name);
    return (split) => {
      const clipsAt = (rows: readonly number[]) => rows.map((row) => clips[row]);
      const { encoder: frames, encoded } = FrameEncoder.fit(clipsAt(split.training), options);
      const validation = validationFileClips ?? clipsAt(split.validation);
      return {
        encoder: new ClipEncoder(name, frames),
        training: encoded,
        validation: validation.map((clip) => frames.encode(clip)),
        validationTexts: validation.map(({ name }) => name),
        lengths: summarizeLengths(encoded.map(({ length }) => length)),
        ...{ cut: 0, coverage: null, missing: 0 },
      };
    };
  };

/** Filters of the convolutions over numeric sequences, which raise the accuracy on J-HMDB poses (docs/classify.md). */
const FILTERS = 64;

const sizesOf = (options: ClassifyOptions): ClassifierSizes => ({
  cell: options.cell ?? 'lstm',
  units: options.units ?? 64,
  layers: options.layers ?? 1,
  embedding: options.text === undefined ? null : (options.embedding ?? 100),
  filters: options.sequence === undefined ? 0 : (options.filters ?? FILTERS),
  dropout: options.dropout ?? (options.frames === undefined ? 0.5 : 0.2),
});

/** Number of batches that determines the default number of epochs for sequences and sounds (40 to 200 epochs). */
const SEQUENCE_BATCHES = 15_000;
/** Number of batches that determines the patience for sequences and sounds (6 to 30 epochs). */
const SEQUENCE_PATIENCE = 600;

/** The corresponding numbers for clips, whose batches take much longer (20 to 100 epochs, patience 4 to 20). */
const CLIP_BATCHES = 8000;
const CLIP_PATIENCE = 2000;

/** Returns the settings that are specific to clips. */
function clipSettings({ epochs, learningRate }: ClassifyOptions, batchesPerEpoch: number) {
  return {
    epochs: epochs ?? Math.max(20, Math.min(100, Math.ceil(CLIP_BATCHES / batchesPerEpoch))),
    learningRate: learningRate ?? 4e-3,
    weightDecay: 0.01,
    patience: Math.max(4, Math.min(20, Math.ceil(CLIP_PATIENCE / batchesPerEpoch))),
  };
}

/** Returns the default number of networks. @param total number of training tokens or steps */
function networksFor(total: number, encoder: InputPlan['encoder']): number {
  if (total >= MANY_STEPS) return 1;
  const hasNGrams = encoder.kind === 'text' && encoder.ngrams !== null;
  return total >= FEW_STEPS || hasNGrams ? 3 : 5;
}

function settingsOf(options: ClassifyOptions, { lengths, training, encoder }: InputPlan): TrainingSettings {
  const { count, mean, longest } = lengths;
  const size = count < 400 ? 8 : count < 4000 ? 16 : count < 40_000 ? 32 : 64;
  const batchSize =
    options.batchSize ??
    (encoder.kind === 'clip'
      ? encoder.frames.batchSize(Math.min(16, size), longest)
      : batchSizeFor(size, longest));
  const total = mean * count;
  const common = {
    batchSize,
    networks: options.networks ?? (options.frames !== undefined ? 1 : networksFor(total, encoder)),
    seed: options.seed ?? 0,
    decay: options.frames !== undefined,
    augment: options.text === undefined && options.sequence === undefined && (options.augment ?? true),
  };
  const { epochs, learningRate } = options;
  if (options.text !== undefined) {
    // The strong weight decay delays the memorisation of rare words.
    return {
      ...common,
      epochs: epochs ?? 30,
      learningRate: learningRate ?? 1e-3,
      weightDecay: 0.3,
      patience: 3,
    };
  }
  if (options.frames !== undefined)
    return { ...common, ...clipSettings(options, batchesOf(training, batchSize).length) };
  const epochsOf = (batches: number, min: number, max: number): number =>
    Math.max(min, Math.min(max, Math.ceil(batches / batchesOf(training, batchSize).length)));
  return {
    ...common,
    epochs: epochs ?? epochsOf(SEQUENCE_BATCHES, 40, 200),
    learningRate: learningRate ?? (options.sequence === undefined ? 3e-3 : 1e-3),
    weightDecay: 0.01,
    patience: epochsOf(SEQUENCE_PATIENCE, 6, 30),
  };
}
