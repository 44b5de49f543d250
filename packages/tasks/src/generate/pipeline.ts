/** The content of `pipeline.json`, and the files of a language model. */
import type { JsonObject } from '@unroll/core/internal';
import type { Network } from '@unroll/nn';
import { checkNetworkShape, checkPipeline, readNetwork, readPipeline } from '../shared/pipeline-file.js';
import type { CodecConfig } from './codec.js';
import type { LanguageCell } from './network.js';

export const GENERATE_FORMAT = 'unroll-generate-1';

export interface LanguagePipeline extends CodecConfig {
  format: typeof GENERATE_FORMAT;
  /** The options with which the training file was parsed, if the user set any. */
  reading?: { encoding?: string } | undefined;
  cell: LanguageCell;
  layers: number;
  units: number;
}

const REQUIRED_KEYS = ['level', 'tokenizer', 'vocabulary', 'cell', 'layers', 'units'];

/**
 * Reads the pipeline and the network of a saved language model.
 * @param json the content of pipeline.json, if it has been read before
 * @throws UnrollError `format` if files are missing or damaged, or do not belong to a language model
 */
export function readLanguageModel(
  files: ReadonlyMap<string, Uint8Array>,
  json: JsonObject = readPipeline(files),
): {
  pipeline: LanguagePipeline;
  network: Network;
} {
  const pipeline = checkPipeline<LanguagePipeline>(json, GENERATE_FORMAT, 'a language model', REQUIRED_KEYS);
  const network = readNetwork(files);
  checkNetworkShape(network, { inputs: 1, names: ['tokens', pipeline.vocabulary?.tokens] });
  return { pipeline, network };
}
