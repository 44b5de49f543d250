/** The content of `pipeline.json`, and the files of a language model. */
import { UnrollError } from '@unroll/core';
import type { JsonObject } from '@unroll/core/internal';
import type { Network } from '@unroll/nn';
import { readNetwork, readPipeline } from '../shared/pipeline-file.js';
import type { CodecConfig } from './codec.js';
import type { LanguageCell } from './network.js';

export const GENERATE_FORMAT = 'unroll-generate-1';

export interface LanguagePipeline extends CodecConfig {
  format: typeof GENERATE_FORMAT;
  /** How the training file was read, if set by the user. */
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
  const pipeline = checkedPipeline(json);
  return { pipeline, network: readNetwork(files) };
}

function checkedPipeline(json: JsonObject): LanguagePipeline {
  if (json.format !== GENERATE_FORMAT) {
    throw new UnrollError(
      'format',
      `pipeline.json does not belong to a language model: format must be "${GENERATE_FORMAT}", got ${JSON.stringify(json.format)}.`,
      { format: json.format },
    );
  }
  const missing = REQUIRED_KEYS.filter((name) => !(name in json));
  if (missing.length === 0) return json as unknown as LanguagePipeline;
  throw new UnrollError('format', `pipeline.json is damaged: ${missing.join(', ')} missing.`, { missing });
}
