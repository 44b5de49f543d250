/** Defines the content of `pipeline.json` of a classifier. Reads and checks the files of a saved classifier. */
import { UnrollError } from '@unroll/core';
import type { JsonObject } from '@unroll/core/internal';
import type { Decimal, Thousands } from '@unroll/data';
import { Embedding, type Network } from '@unroll/nn';
import { FRAME_KEYS, FrameEncoder, frameConfig } from '../shared/frames/encoder.js';
import { FrontEnd } from '../shared/front-end.js';
import { checkNetworkShape, checkPipeline, readNetwork, readPipeline } from '../shared/pipeline-file.js';
import { type ClipConfig, ClipEncoder } from './clips.js';
import { type EncoderConfig, TokenEncoder } from './encoder.js';
import type { ClassifyEncoder } from './inputs.js';
import type { ClassifyCell } from './network.js';
import { NGRAM_TABLE, type NGramConfig } from './ngrams.js';
import { type SequenceConfig, SequenceEncoder } from './sequences.js';
import { type SoundConfig, SoundEncoder } from './sounds.js';

export const CLASSIFY_FORMAT = 'unroll-classify-1';

/** The pipeline of a classifier of texts, sequences, sounds or clips. */
export type ClassifyPipeline = CommonPipeline & InputPipeline;
export type InputPipeline = TextPipeline | SequencePipeline | SoundPipeline | ClipPipeline;

export interface TextPipeline extends EncoderConfig {
  /** Name of the column with the texts. */
  text: string;
}

export interface SequencePipeline extends SequenceConfig {
  /** Name of the column with the sequences. */
  sequence: string;
}

export interface SoundPipeline extends SoundConfig {
  /** Name of the column with the sounds. */
  audio: string;
  /** If the training data was a folder: the pattern of the names of its files. */
  pattern?: string | undefined;
}

export interface ClipPipeline extends ClipConfig {
  /** Name of the column with the clips. */
  frames: string;
}

interface CommonPipeline {
  format: typeof CLASSIFY_FORMAT;
  /** The query that produced the training rows; it also runs on the files to predict from. */
  sql?: string | undefined;
  /** The options with which the training file was parsed, if the user set any. */
  reading?: { decimal?: Decimal; thousands?: Thousands; encoding?: string; header?: boolean } | undefined;
  /** Name of the column with the labels. */
  label: string;
  /** Separator of the labels of an input. Default: each input has one label. */
  multiLabel?: string | undefined;
  /** The labels, in the order of the outputs of the network. */
  labels: readonly string[];
  cell: ClassifyCell;
  layers: number;
  units: number;
}

const COMMON_KEYS = ['label', 'labels', 'cell', 'layers', 'units'];
const TEXT_KEYS = ['text', 'tokenizer', 'vocabulary', 'length'];
const SEQUENCE_KEYS = ['sequence', 'means', 'deviations'];
const SOUND_KEYS = ['audio', 'features', 'normalize', 'means', 'deviations'];
const CLIP_KEYS = ['frames', ...FRAME_KEYS];

const KEYS = [
  ['sequence', SEQUENCE_KEYS],
  ['audio', SOUND_KEYS],
  ['frames', CLIP_KEYS],
] as const;

/** Returns the encoder of a pipeline. */
export function encoderOf(pipeline: ClassifyPipeline): ClassifyEncoder {
  if ('text' in pipeline) return TokenEncoder.fromConfig(pipeline.text, pipeline);
  if ('sequence' in pipeline) return new SequenceEncoder(pipeline.sequence, pipeline);
  if ('frames' in pipeline) return new ClipEncoder(pipeline.frames, new FrameEncoder(frameConfig(pipeline)));
  const { audio, features, normalize, means, deviations } = pipeline;
  return new SoundEncoder(audio, new FrontEnd({ features, normalize, means, deviations }));
}

/**
 * Reads the pipeline and the network of a saved classifier.
 * @param json the content of pipeline.json, if it has been read before
 * @throws UnrollError `format` if files are missing or damaged, or do not belong to a classifier
 */
export function readClassifier(
  files: ReadonlyMap<string, Uint8Array>,
  json: JsonObject = readPipeline(files),
): {
  pipeline: ClassifyPipeline;
  network: Network;
} {
  const pipeline = checkedPipeline(json);
  const network = readNetwork(files);
  const ngrams = 'text' in pipeline ? pipeline.ngrams : undefined;
  if ('text' in pipeline) checkLength(pipeline.length);
  checkNetworkShape(network, { inputs: ngrams === undefined ? 1 : 2, names: ['labels', pipeline.labels] });
  if (ngrams !== undefined) checkNGrams(ngrams, network, pipeline.labels.length);
  return { pipeline, network };
}

const isBetween = (value: unknown, min: number, max: number): boolean =>
  typeof value === 'number' && value >= min && value <= max;

/** Checks the maximum number of tokens per text. @throws UnrollError `format` unless it is a positive integer */
function checkLength(length: unknown): void {
  if (Number.isInteger(length) && isBetween(length, 1, Number.MAX_SAFE_INTEGER)) return;
  const problem = `length must be a positive integer, got ${JSON.stringify(length)}`;
  throw new UnrollError('format', `pipeline.json is damaged: ${problem}.`, { length });
}

/** Checks the n-grams. @throws UnrollError `format` for invalid settings of the n-grams, or if the network does not read them */
function checkNGrams(ngrams: unknown, network: Network, labels: number): void {
  const { tokens, characters, buckets, weight } = Object(ngrams) as NGramConfig & { weight: number };
  const range: readonly unknown[] =
    characters === null ? [1, 1] : Array.isArray(characters) ? characters : [];
  const isValid =
    range.length === 2 &&
    Number(range[0]) <= Number(range[1]) &&
    [tokens, ...range].every((length) => Number.isInteger(length) && isBetween(length, 1, 20)) &&
    isBetween(weight, 0, 1);
  const table = network.layers.find((layer) => layer instanceof Embedding && layer.name === NGRAM_TABLE);
  const outputs = network.outputShapes(network.inputShapes ?? []).length; // of the recurrent networks and of the n-grams
  const fits =
    table instanceof Embedding && table.inputDim === buckets && table.outputDim === labels && buckets >= 2;
  if (isValid && fits && outputs >= 2) return;
  const problem = isValid
    ? 'the network has no table or output for the n-grams'
    : `invalid settings of the n-grams, ${JSON.stringify(ngrams)}`;
  throw new UnrollError('format', `pipeline.json is damaged: ${problem}.`, { ngrams });
}

function checkedPipeline(json: JsonObject): ClassifyPipeline {
  const [, inputKeys] = KEYS.find(([name]) => name in json) ?? ['text', TEXT_KEYS];
  return checkPipeline(json, CLASSIFY_FORMAT, 'a classifier', [...COMMON_KEYS, ...inputKeys]);
}
