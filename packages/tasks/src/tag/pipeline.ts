/** The content of `pipeline.json`, and the files of a tagger. */
import type { JsonObject } from '@unroll/core/internal';
import type { ConlluColumn } from '@unroll/data';
import type { Network } from '@unroll/nn';
import { checkNetworkShape, checkPipeline, readNetwork, readPipeline } from '../shared/pipeline-file.js';
import type { TagEncoderConfig } from './encoder.js';
import type { TagCell } from './network.js';
import type { TagScheme } from './tags.js';

export const TAG_FORMAT = 'unroll-tag-1';

export interface TagPipeline extends TagEncoderConfig {
  format: typeof TAG_FORMAT;
  /** The options with which the training file was parsed, if the user set any. */
  reading?: { encoding?: string } | undefined;
  /** The column with the tags in the training file; null if the training sentences were not read from a file. */
  column: number | ConlluColumn | null;
  /** The tags, in the order of the outputs of the network. */
  tags: readonly string[];
  scheme: TagScheme;
  /** The tag that is scored by F1 with the scheme `none`; null: all tags are scored. */
  positive: string | null;
  /** The offset of the entity tags, or of the positive tag. The bias of the output layer contains it. */
  offset: number;
  cell: TagCell;
  layers: number;
  units: number;
  networks: number;
}

const REQUIRED_KEYS = [
  ...['column', 'tags', 'scheme', 'positive', 'offset', 'cell', 'layers', 'units', 'networks'],
  ...['tokenizer', 'words', 'characters', 'lowercase'],
];

/**
 * Reads the pipeline and the network of a saved tagger.
 * @param json the content of pipeline.json, if it has been read before
 * @throws UnrollError `format` if files are missing or damaged, or do not belong to a tagger
 */
export function readTagger(
  files: ReadonlyMap<string, Uint8Array>,
  json: JsonObject = readPipeline(files),
): {
  pipeline: TagPipeline;
  network: Network;
} {
  const pipeline = checkPipeline<TagPipeline>(json, TAG_FORMAT, 'a tagger', REQUIRED_KEYS);
  const network = readNetwork(files);
  checkNetworkShape(network, {
    inputs: pipeline.characters === null ? 1 : 2,
    names: ['tags', pipeline.tags],
  });
  return { pipeline, network };
}
