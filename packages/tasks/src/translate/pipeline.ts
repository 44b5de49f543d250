/** The content of `pipeline.json`, and the files of a translator. */
import type { JsonObject } from '@unroll/core/internal';
import type { BleuOptions, Decimal, Thousands } from '@unroll/data';
import type { Functional } from '@unroll/nn';
import { checkNetworkShape, checkPipeline, readNetwork, readPipeline } from '../shared/pipeline-file.js';
import type { SideConfig } from './encoder.js';
import type { TranslateCell } from './network.js';
import type { PairColumns } from './pairs.js';
import type { TokenLevel } from './plan.js';

export const TRANSLATE_FORMAT = 'unroll-translate-1';

export interface TranslatePipeline {
  format: typeof TRANSLATE_FORMAT;
  /** The query that produced the training rows; it also runs on the files to predict from. */
  sql?: string | undefined;
  /** The options with which the training file was parsed, if the user set any. */
  reading?: { decimal?: Decimal; thousands?: Thousands; encoding?: string; header?: boolean } | undefined;
  /** Names of the columns; null if the model was trained on parallel text files. */
  columns: PairColumns | null;
  level: TokenLevel;
  source: SideConfig;
  target: SideConfig;
  cell: TranslateCell;
  layers: number;
  units: number;
  /** Options of BLEU that depend on the target language. */
  bleu: Pick<BleuOptions, 'tokenizer' | 'lowercase'>;
}

const REQUIRED_KEYS = ['columns', 'level', 'source', 'target', 'cell', 'layers', 'units', 'bleu'];

/**
 * Reads the pipeline and the network of a saved translator.
 * @param json the content of pipeline.json, if it has been read before
 * @throws UnrollError `format` if files are missing or damaged, or do not belong to a translator
 */
export function readTranslator(
  files: ReadonlyMap<string, Uint8Array>,
  json: JsonObject = readPipeline(files),
): {
  pipeline: TranslatePipeline;
  network: Functional;
} {
  const pipeline = checkPipeline<TranslatePipeline>(json, TRANSLATE_FORMAT, 'a translator', REQUIRED_KEYS);
  const network = readNetwork(files) as Functional;
  checkNetworkShape(network, { inputs: 2, names: ['target tokens', pipeline.target?.vocabulary?.tokens] });
  return { pipeline, network };
}
