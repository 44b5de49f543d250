/** The content of `pipeline.json`, and the files of a transcriber. */
import { UnrollError } from '@unroll/core';
import type { JsonObject } from '@unroll/core/internal';
import type { Decimal, Thousands } from '@unroll/data';
import type { Functional } from '@unroll/nn';
import type { FrontEndConfig } from '../shared/front-end.js';
import { checkPipeline, readNetwork, readPipeline } from '../shared/pipeline-file.js';
import type { TranscribeCell } from './network.js';
import type { TokensConfig } from './tokens.js';

export const TRANSCRIBE_FORMAT = 'unroll-transcribe-1';

export interface TranscribePipeline {
  format: typeof TRANSCRIBE_FORMAT;
  /** How the training file was read, if set by the user. */
  reading?: { decimal?: Decimal; thousands?: Thousands; encoding?: string; header?: boolean } | undefined;
  /** If the training data was a folder: the pattern of the names of its files. */
  pattern?: string | undefined;
  /** Names of the columns with the sounds and the transcripts. */
  columns: { audio: string; text: string };
  frontEnd: FrontEndConfig;
  tokens: TokensConfig;
  /** Frames per output step. */
  reduction: number;
  /** Whether the model can transcribe sound while it arrives. */
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
  const { attention } = pipeline;
  if (attention !== undefined && !(Number.isInteger(attention?.maxLength) && attention.maxLength > 0)) {
    const problem = 'attention must be { maxLength: a positive integer }';
    throw new UnrollError(
      'format',
      `pipeline.json is damaged: ${problem}, got ${JSON.stringify(attention)}.`,
    );
  }
  return { pipeline, network: readNetwork(files) as Functional };
}
