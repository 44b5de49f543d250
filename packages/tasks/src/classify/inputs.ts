/**
 * What a classifier reads: texts (encoder.ts), numeric sequences (sequences.ts), sounds (sounds.ts) or clips (clips.ts). All
 * are encoded as sequences of variable length, so splits, batches, training and prediction are the same.
 */
import { type RandomStream, type Tensor, tensor } from '@unroll/core';
import type { Table } from '@unroll/data';
import type { Clip } from '../shared/frames/clips.js';
import { batchesOf } from '../shared/length-batches.js';
import type { Sound } from '../shared/sounds.js';
import type { TaskFact } from '../shared/task.js';

/** An encoded input: tokens, or the steps of a sequence. */
export interface EncodedInput {
  /** Number of tokens or steps. */
  readonly length: number;
}

/** Encoded inputs, each with a title for the user. */
export interface TitledInputs {
  titles: readonly string[];
  encoded: readonly EncodedInput[];
}

/** Reads and encodes the inputs of a classifier. */
export interface ClassifyEncoder {
  readonly kind: 'text' | 'sequence' | 'sound' | 'clip';
  /** Name of the column with the inputs. */
  readonly column: string;
  /** For texts, the size of the vocabulary; otherwise, the number of values per step that the network reads. */
  readonly inputSize: number;
  /** Returns the number of inputs per batch in inference. */
  batchSize(inputs: readonly EncodedInput[]): number;
  /** Encodes the inputs of a table. @throws UnrollError `data` for a missing column or an invalid cell, with file and line */
  readTable(table: Table): TitledInputs;
  /** Encodes the texts of a request: texts, or sequences as JSON. @throws UnrollError for an invalid text */
  readTexts(texts: readonly string[]): TitledInputs;
  /** Encodes the sounds of a request. Only for sounds. @throws UnrollError for an invalid sound */
  readSounds?(sounds: readonly Sound[]): TitledInputs;
  /** Encodes the clips of a request. Only for clips. @throws UnrollError for an invalid clip */
  readClips?(clips: readonly Clip[]): TitledInputs;
  /**
   * Returns a padded batch of the encoded inputs with the indices `rows`. The mask is left out if the inputs have equal lengths,
   * and for texts, whose padding is id 0.
   * @param random random stream for the augmentation of sounds and clips. Default null: no augmentation
   */
  batch(
    encoded: readonly EncodedInput[],
    rows: Uint32Array,
    random?: RandomStream | null,
  ): { x: Tensor; mask?: Tensor };
  /** Returns the n-grams of a batch of encoded texts [B, M]; null if there is no n-gram model. Only for texts. */
  ngramBatch?(encoded: readonly EncodedInput[], rows: Uint32Array): Tensor | null;
  /** Splits the rows of a batch into batches whose n-grams fit into memory. Only for texts. */
  ngramParts?(encoded: readonly EncodedInput[], rows: Uint32Array, labels: number): Uint32Array[];
  /**
   * Returns notes about inputs, one sentence each.
   * @param table table from which the inputs were read. Default: they are not from a table
   * @throws UnrollError `data` if all texts of the table consist of unknown words
   */
  notes(encoded: readonly EncodedInput[], table?: Table): string[];
  /** Returns the properties of the inputs that `describe` of the model lists. */
  properties(): TaskFact[];
}

/** Encoded inputs and the classes of each input: exactly one or, with several labels per input, any number. */
export interface EncodedExamples {
  inputs: readonly EncodedInput[];
  classes: readonly Int32Array[];
}

/** A batch: padded inputs x and targets y. The targets are classes [B] or, with several labels per input, 0 or 1 [B, labels]. */
export interface ClassifyBatch {
  x: Tensor;
  y: Tensor;
  mask?: Tensor;
}

/**
 * Returns one batch.
 * @param labelCount number of labels of the model if an input may have several labels, otherwise null
 * @param random random stream for the augmentation of sounds and clips. Default null: no augmentation
 */
export function batchOf(
  encoder: ClassifyEncoder,
  { inputs, classes }: EncodedExamples,
  rows: Uint32Array,
  labelCount: number | null,
  random: RandomStream | null = null,
): ClassifyBatch {
  return { ...encoder.batch(inputs, rows, random), y: targetsOf(classes, rows, labelCount) };
}

/**
 * Returns the rows of each batch for inference. Inputs of similar lengths share a batch. If there is an n-gram model, the batches
 * are small enough for their n-grams to fit into memory.
 */
export const inferenceBatches = (
  encoder: ClassifyEncoder,
  inputs: readonly EncodedInput[],
  labels: number,
): Uint32Array[] =>
  batchesOf(inputs, encoder.batchSize(inputs)).flatMap(
    (rows) => encoder.ngramParts?.(inputs, rows, labels) ?? [rows],
  );

/** Returns one batch for the n-gram model. */
export function ngramBatchOf(
  encoder: ClassifyEncoder,
  { inputs, classes }: EncodedExamples,
  rows: Uint32Array,
  labelCount: number | null,
): ClassifyBatch {
  const x = encoder.ngramBatch?.(inputs, rows);
  if (!x) throw new Error('The encoder has no n-grams.');
  return { x, y: targetsOf(classes, rows, labelCount) };
}

function targetsOf(classes: readonly Int32Array[], rows: Uint32Array, labelCount: number | null): Tensor {
  if (labelCount === null) return tensor(Array.from(rows, (row) => classes[row][0]));
  const y = new Float32Array(rows.length * labelCount);
  for (const [i, row] of rows.entries()) for (const id of classes[row]) y[i * labelCount + id] = 1;
  return tensor(y, [rows.length, labelCount]);
}
