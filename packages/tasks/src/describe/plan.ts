/**
 * Plans the training of a describer: reads clips and sentences, splits off a validation set, and chooses how frames are read, the
 * vocabulary and the training options that are not set.
 */
import { RandomStream, UnrollError } from '@unroll/core';
import { type LengthSummary, summarizeLengths, type Table } from '@unroll/data';
import { filledTexts } from '../shared/cells.js';
import { clipsOf, type NamedClip } from '../shared/frames/clips.js';
import { FrameEncoder } from '../shared/frames/encoder.js';
import { batchesOf } from '../shared/length-batches.js';
import { type SideEncoder, targetIds } from '../translate/encoder.js';
import { fitSide, maxTargetLength, type SideLengths, type TokenLevel } from '../translate/plan.js';
import type { DescribeOptions } from './describe.js';
import type { DescriberSizes } from './network.js';
import type { DescribedClips } from './pairs.js';

/** Share of the clips in the validation set. */
const VALIDATION_SHARE = 0.1;
/** Planned number of training steps. It determines the default number of epochs, 20 to 100. */
const STEPS = 8000;
/** Number of steps without an improvement after which training ends (at least 4 epochs, at most 20). */
const PATIENCE = 1000;

export interface TrainingSettings {
  epochs: number;
  batchSize: number;
  learningRate: number;
  /** Training ends after this many epochs without an improvement. */
  patience: number;
  seed: number;
  /** True: clips are augmented in training. */
  augment: boolean;
}

/** Everything that is decided before the training. */
export interface PreparedDescriber {
  source: string;
  /** Names of the columns. */
  columns: { frames: string; text: string };
  level: TokenLevel;
  lowercase: boolean;
  frames: FrameEncoder;
  target: SideEncoder;
  training: DescribedClips;
  validation: DescribedClips;
  /** The sentences of the validation clips. */
  validationTexts: readonly string[];
  /** The names of the validation clips. */
  validationNames: readonly string[];
  /** Name of the validation file; null if the validation clips were split off from the training file. */
  validationSource: string | null;
  lengths: { frames: LengthSummary; text: SideLengths };
  sizes: DescriberSizes;
  settings: TrainingSettings;
}

/** Clips with their sentences. */
interface ClipsWithSentences {
  clips: readonly NamedClip[];
  texts: readonly string[];
}

/** Returns the sentences of a table. @throws UnrollError `data` for a missing column or an empty cell */
export const sentencesOf = (table: Table, name: string): string[] =>
  filledTexts(table, name, 'text', 'Remove the row or write a text.');

/**
 * Reads the tables and plans the training.
 * @throws UnrollError `data` for invalid clips, empty texts, and fewer than two clips
 */
export function prepare(table: Table, options: DescribeOptions): PreparedDescriber {
  const { frames: column, text, level = 'words', lowercase = false, seed = 0, vocabulary = null } = options;
  const readPairs = (rows: Table): ClipsWithSentences => ({
    clips: clipsOf(rows, column),
    texts: sentencesOf(rows, text),
  });
  const all = readPairs(table);
  const validationFilePairs = options.validation && readPairs(options.validation);
  const { training, validation } = validationFilePairs
    ? { training: all, validation: validationFilePairs }
    : split(all, table.source, seed);
  const side = fitSide(training.texts, { level, lowercase, vocabulary }, maxTargetLength);
  const { encoder: frames, encoded } = FrameEncoder.fit(training.clips, options);
  const idsOf = (sentence: string) => targetIds(side.encoder, side.encoder.tokenizer.tokens(sentence));
  const lengths = summarizeLengths(encoded.map(({ length }) => length));
  return {
    source: table.source,
    columns: { frames: column, text },
    ...{ level, lowercase, frames, target: side.encoder },
    training: { clips: encoded, target: training.texts.map(idsOf) },
    validation: {
      clips: validation.clips.map((clip) => frames.encode(clip)),
      target: validation.texts.map(idsOf),
    },
    validationTexts: validation.texts,
    validationNames: validation.clips.map(({ name }) => name),
    validationSource: options.validation?.source ?? null,
    lengths: { frames: lengths, text: side.lengths },
    sizes: sizesOf(options),
    settings: settingsOf(options, { frames, lengths, count: encoded.length }),
  };
}

/** Draws a tenth of the clips for validation. @throws UnrollError `data` for fewer than two clips */
function split(
  { clips, texts }: ClipsWithSentences,
  source: string,
  seed: number,
): Record<'training' | 'validation', ClipsWithSentences> {
  const count = clips.length;
  if (count < 2) {
    const problem = `at least 2 clips are needed, one for training and one for validation, got ${count}`;
    throw new UnrollError('data', `${source}: ${problem}.`);
  }
  const size = Math.max(1, Math.round(count * VALIDATION_SHARE));
  const chosen = new Set(new RandomStream(seed, 'describe', 'split').permutation(count).slice(0, size));
  const select = (isChosen: boolean): ClipsWithSentences => {
    const keep = (_: unknown, row: number): boolean => chosen.has(row) === isChosen;
    return { clips: clips.filter(keep), texts: texts.filter(keep) };
  };
  return { training: select(false), validation: select(true) };
}

const sizesOf = (options: DescribeOptions): DescriberSizes => ({
  cell: options.cell ?? 'lstm',
  units: options.units ?? 128,
  layers: options.layers ?? 1,
  embedding: options.embedding ?? 128,
  dropout: options.dropout ?? 0.2,
});

function settingsOf(
  options: DescribeOptions,
  { frames, lengths, count }: { frames: FrameEncoder; lengths: LengthSummary; count: number },
): TrainingSettings {
  const batchSize = options.batchSize ?? frames.batchSize(count < 400 ? 8 : 16, lengths.longest);
  const steps = Math.ceil(count / batchSize);
  return {
    batchSize,
    epochs: options.epochs ?? Math.max(20, Math.min(100, Math.ceil(STEPS / steps))),
    learningRate: options.learningRate ?? 2e-3,
    patience: Math.max(4, Math.min(20, Math.ceil(PATIENCE / steps))),
    seed: options.seed ?? 0,
    augment: options.augment ?? true,
  };
}

/** Returns the batches of an epoch. */
export const epochBatches = (
  { clips }: DescribedClips,
  { batchSize }: TrainingSettings,
  random: RandomStream | null,
): Uint32Array[] => batchesOf(clips, batchSize, random);
