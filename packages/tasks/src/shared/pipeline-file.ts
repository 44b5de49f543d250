/** Reads and checks pipeline.json of a saved model. Its `format` names the task. */
import { UnrollError } from '@unroll/core';
import { decodeUtf8, type JsonObject, parseStrictJson } from '@unroll/core/internal';
import { fromArtifact } from '@unroll/formats';
import type { Network } from '@unroll/nn';

export const PIPELINE_FILE = 'pipeline.json';

/**
 * Returns the content of pipeline.json.
 * @throws UnrollError `format` if it is missing or damaged
 */
export function readPipeline(files: ReadonlyMap<string, Uint8Array>): JsonObject {
  const bytes = files.get(PIPELINE_FILE);
  if (bytes === undefined) {
    throw new UnrollError(
      'format',
      'pipeline.json is missing, so this is not a saved model of a task, such as forecast or classify.',
    );
  }
  const json = parseStrictJson(decodeUtf8(bytes, PIPELINE_FILE), PIPELINE_FILE);
  if (json !== null && typeof json === 'object' && !Array.isArray(json)) return json;
  throw new UnrollError('format', 'pipeline.json is damaged: it must contain a JSON object.');
}

/**
 * Checks that the content of pipeline.json is a pipeline of a task, and returns it.
 * @param owner noun for the model of this task, with its article, such as `a tagger`
 * @param keys keys that the pipeline must have
 * @throws UnrollError `format` for another format or a missing key
 */
export function checkPipeline<T>(
  json: JsonObject,
  format: string,
  owner: string,
  keys: readonly string[],
): T {
  if (json.format !== format) {
    throw new UnrollError(
      'format',
      `pipeline.json does not belong to ${owner}: format must be "${format}", got ${JSON.stringify(json.format)}.`,
      { format: json.format },
    );
  }
  const missing = keys.filter((name) => !(name in json));
  if (missing.length === 0) return json as T;
  throw new UnrollError('format', `pipeline.json is damaged: ${missing.join(', ')} missing.`, { missing });
}

/** Returns an error for an invalid value in pipeline.json. @param requirement such as `length must be a positive integer` */
export const pipelineError = (requirement: string, got: unknown): UnrollError =>
  new UnrollError('format', `pipeline.json is damaged: ${requirement}, got ${JSON.stringify(got)}.`);

/** The inputs and outputs that the network of a pipeline must have. */
interface ExpectedShape {
  /** Number of inputs. */
  inputs: number;
  /** What the last axis of the first output contains, such as `tags`, and the list of its elements. */
  names: readonly [name: string, list: unknown];
  /** Number of further elements of this axis, such as 1 for the blank of CTC. Default 0. */
  extra?: number;
}

/** Checks the inputs and outputs of a network. @throws UnrollError `format` if they do not match the pipeline */
export function checkNetworkShape(
  network: Network,
  { inputs, names: [name, list], extra = 0 }: ExpectedShape,
): void {
  if (!Array.isArray(list)) throw pipelineError(`${name} must be a list`, list);
  const shapes = network.inputShapes ?? [];
  if (shapes.length !== inputs)
    throw pipelineError(`the network must have ${inputs} input${inputs === 1 ? '' : 's'}`, shapes.length);
  const width = network.outputShapes(shapes)[0]?.at(-1);
  const wanted = list.length + extra;
  if (width !== wanted)
    throw pipelineError(`the network must return ${wanted} values for ${list.length} ${name}`, width);
}

/**
 * Returns the network of a saved model.
 * @throws UnrollError `format` if files other than pipeline.json are missing or damaged
 */
export function readNetwork(files: ReadonlyMap<string, Uint8Array>): Network {
  // pipeline.json, which has been read before, is left out: parsing its vocabulary takes as long as loading a small network.
  return fromArtifact(new Map([...files].filter(([name]) => name !== PIPELINE_FILE))).model;
}

/** Parses the `format` of a pipeline, such as `unroll-forecast-1`. Returns null if it does not name a task. */
export function formatOf({ format }: JsonObject): { task: string; version: number } | null {
  const match = typeof format === 'string' ? /^unroll-([a-z]+)-(\d{1,9})$/.exec(format) : null;
  return match === null ? null : { task: match[1], version: Number(match[2]) };
}

/** Returns the task that a format names: `forecast` for `unroll-forecast-1`. If it names none, returns the format. */
export const taskName = (format: string): string => formatOf({ format })?.task ?? format;

/** Returns the task and format version of a model; null if it has no task. */
export const taskFormat = (files: ReadonlyMap<string, Uint8Array>) =>
  files.has(PIPELINE_FILE) ? formatOf(readPipeline(files)) : null;
