/** The content of `pipeline.json`, and the files of a describer. */
import type { JsonObject } from '@unroll/core/internal';
import type { BleuOptions, Decimal, Thousands } from '@unroll/data';
import type { Functional } from '@unroll/nn';
import { FRAME_KEYS, type FrameConfig } from '../shared/frames/encoder.js';
import { checkNetworkShape, checkPipeline, readNetwork, readPipeline } from '../shared/pipeline-file.js';
import type { SideConfig } from '../translate/encoder.js';
import type { TokenLevel } from '../translate/plan.js';
import type { DescribeCell } from './network.js';

export const DESCRIBE_FORMAT = 'unroll-describe-1';

export interface DescribePipeline extends FrameConfig {
  format: typeof DESCRIBE_FORMAT;
  /** The query that produced the training rows; it also runs on the files to predict from. */
  sql?: string | undefined;
  /** The options with which the training file was parsed, if the user set any. */
  reading?: { decimal?: Decimal; thousands?: Thousands; encoding?: string; header?: boolean } | undefined;
  /** Names of the columns. */
  columns: { frames: string; text: string };
  level: TokenLevel;
  target: SideConfig;
  cell: DescribeCell;
  layers: number;
  units: number;
  /** Options of BLEU that depend on the language. */
  bleu: Pick<BleuOptions, 'tokenizer' | 'lowercase'>;
}

const REQUIRED_KEYS = ['columns', 'level', 'target', 'cell', 'layers', 'units', 'bleu', ...FRAME_KEYS];

/**
 * Reads the pipeline and the network of a saved describer.
 * @param json the content of pipeline.json, if it has been read before
 * @throws UnrollError `format` if files are missing or damaged, or do not belong to a describer
 */
export function readDescriber(
  files: ReadonlyMap<string, Uint8Array>,
  json: JsonObject = readPipeline(files),
): { pipeline: DescribePipeline; network: Functional } {
  const pipeline = checkPipeline<DescribePipeline>(json, DESCRIBE_FORMAT, 'a describer', REQUIRED_KEYS);
  const network = readNetwork(files) as Functional;
  checkNetworkShape(network, { inputs: 2, names: ['target tokens', pipeline.target?.vocabulary?.tokens] });
  return { pipeline, network };
}
