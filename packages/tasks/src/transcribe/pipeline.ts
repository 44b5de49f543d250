/** The content of `pipeline.json`, and the files of a transcriber. */
import type { JsonObject } from '@unroll/core/internal';
import type { Decimal, Thousands } from '@unroll/data';
import type { Functional } from '@unroll/nn';
import type { FrontEndConfig } from '../shared/front-end.js';
import {
  checkNetworkShape,
  checkPipeline,
  pipelineError,
  readNetwork,
  readPipeline,
} from '../shared/pipeline-file.js';
import { SPECIALS } from '../translate/encoder.js';
import { MAX_LENGTH } from './attention.js';
import type { TranscribeCell } from './network.js';
import type { TokensConfig } from './tokens.js';

export const TRANSCRIBE_FORMAT = 'unroll-transcribe-1';

/** Largest number of frames per output step. */
export const MAX_REDUCTION = 16;

export interface TranscribePipeline {
  format: typeof TRANSCRIBE_FORMAT;
  /** The options with which the training file was parsed, if the user set any. */
  reading?: { decimal?: Decimal; thousands?: Thousands; encoding?: string; header?: boolean } | undefined;
  /** If the training data was a folder: the pattern of the names of its files. */
  pattern?: string | undefined;
  /** Names of the columns with the sounds and the transcripts. */
  columns: { audio: string; text: string };
  frontEnd: FrontEndConfig;
  tokens: TokensConfig;
  /** Frames per output step. */
  reduction: number;
  /** True: the model can transcribe sound while it arrives. */
  streaming: boolean;
  /** For an attention decoder: largest number of tokens of a transcript. Absent: the model was trained with CTC. */
  attention?: { maxLength: number } | undefined;
  cell: TranscribeCell;
  layers: number;
  units: number;
}

const REQUIRED_KEYS = ['columns', 'frontEnd', 'tokens', 'reduction', 'streaming', 'cell', 'layers', 'units'];

/**
 * Reads the pipeline and the network of a saved transcriber.
 * @param json the content of pipeline.json, if it has been read before
 * @throws UnrollError `format` if files are missing or damaged, or do not belong to a transcriber
 */
export function readTranscriber(
  files: ReadonlyMap<string, Uint8Array>,
  json: JsonObject = readPipeline(files),
): {
  pipeline: TranscribePipeline;
  network: Functional;
} {
  const pipeline = checkPipeline<TranscribePipeline>(json, TRANSCRIBE_FORMAT, 'a transcriber', REQUIRED_KEYS);
  checkDecoder(pipeline);
  const network = readNetwork(files) as Functional;
  const isCtc = pipeline.attention === undefined;
  checkNetworkShape(network, {
    inputs: isCtc ? 1 : 2,
    names: ['tokens', pipeline.tokens?.tokens],
    extra: isCtc ? 1 : SPECIALS.length, // The only special token of CTC is the blank.
  });
  return { pipeline, network };
}

/** Checks the settings of the decoder. @throws UnrollError `format` if they are impossible */
function checkDecoder({ reduction, streaming, attention }: TranscribePipeline): void {
  if (!Number.isInteger(reduction) || reduction < 1 || reduction > MAX_REDUCTION)
    throw pipelineError(`reduction must be an integer from 1 to ${MAX_REDUCTION}`, reduction);
  if (attention === undefined) return;
  const maxLength = attention?.maxLength;
  if (!Number.isInteger(maxLength) || maxLength < 1 || maxLength > MAX_LENGTH)
    throw pipelineError(`attention must be { maxLength: an integer from 1 to ${MAX_LENGTH} }`, attention);
  if (streaming) throw pipelineError('streaming must be false for a decoder with attention', streaming);
}
