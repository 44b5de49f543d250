/** The content of `pipeline.json`, and the files of a classifier. */
import { UnrollError } from '@unroll/core';
import type { JsonObject } from '@unroll/core/internal';
import type { Decimal, Thousands } from '@unroll/data';
import { fromArtifact } from '@unroll/formats';
import type { Network } from '@unroll/nn';
import { readPipeline } from '../shared/pipeline-file.js';
import type { EncoderConfig } from './encoder.js';
import type { ClassifyCell } from './network.js';

export const CLASSIFY_FORMAT = 'unroll-classify-1';

export interface ClassifyPipeline extends EncoderConfig {
  format: typeof CLASSIFY_FORMAT;
  /** The query that produced the training rows; it also runs on other files. */
  sql?: string | undefined;
  /** How the training file was read, if set by the user. */
  reading?: { decimal?: Decimal; thousands?: Thousands; encoding?: string; header?: boolean } | undefined;
  /** Names of the columns. */
  text: string;
  label: string;
  /** The labels, in the order of the outputs of the network. */
  labels: readonly string[];
  cell: ClassifyCell;
  layers: number;
  units: number;
}

const REQUIRED_KEYS = [
  'text',
  'label',
  'labels',
  'cell',
  'layers',
  'units',
  'tokenizer',
  'vocabulary',
  'length',
];

/**
 * Reads the pipeline and the network of a saved classifier.
 * @throws UnrollError `format` if files are missing or damaged, or do not belong to a classifier
 */
export function readClassifier(files: ReadonlyMap<string, Uint8Array>): {
  pipeline: ClassifyPipeline;
  network: Network;
} {
  const pipeline = checkedPipeline(readPipeline(files));
  return { pipeline, network: fromArtifact(files).model };
}

function checkedPipeline(json: JsonObject): ClassifyPipeline {
  if (json.format !== CLASSIFY_FORMAT) {
    throw new UnrollError(
      'format',
      `pipeline.json does not belong to a classifier: format must be "${CLASSIFY_FORMAT}", got ${JSON.stringify(json.format)}.`,
      { format: json.format },
    );
  }
  const missing = REQUIRED_KEYS.filter((name) => !(name in json));
  if (missing.length === 0) return json as unknown as ClassifyPipeline;
  throw new UnrollError('format', `pipeline.json is damaged: ${missing.join(', ')} missing.`, { missing });
}
