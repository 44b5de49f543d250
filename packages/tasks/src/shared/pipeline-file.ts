/** pipeline.json of a saved model, and the task that it names. */
import { UnrollError } from '@unroll/core';
import { decodeUtf8, type Json, type JsonObject, parseStrictJson } from '@unroll/core/internal';

export const PIPELINE_FILE = 'pipeline.json';

/** The content of pipeline.json. @throws UnrollError `format` if it is missing or damaged */
export function readPipeline(files: ReadonlyMap<string, Uint8Array>): JsonObject {
  const bytes = files.get(PIPELINE_FILE);
  if (bytes === undefined) {
    throw new UnrollError('format', 'pipeline.json is missing: the files contain no model of a task.');
  }
  let json: Json;
  try {
    json = parseStrictJson(decodeUtf8(bytes, PIPELINE_FILE), PIPELINE_FILE);
  } catch (error) {
    const why = error instanceof Error ? ` ${error.message}` : '';
    throw new UnrollError('format', `pipeline.json is damaged: it is not JSON.${why}`);
  }
  if (json !== null && typeof json === 'object' && !Array.isArray(json)) return json;
  throw new UnrollError('format', 'pipeline.json is damaged: it must contain an object.');
}

/** The task and version of a pipeline, such as `unroll-forecast-1`; null if it names none. */
export function formatOf({ format }: JsonObject): { task: string; version: number } | null {
  const match = typeof format === 'string' ? /^unroll-([a-z]+)-(\d{1,9})$/.exec(format) : null;
  return match === null ? null : { task: match[1], version: Number(match[2]) };
}

/** The task of a format: `forecast` of `unroll-forecast-1`. */
export const taskName = (format: string): string => formatOf({ format })?.task ?? format;

/** The task and version of a model; null for a model without a task. */
export const taskFormat = (files: ReadonlyMap<string, Uint8Array>) =>
  files.has(PIPELINE_FILE) ? formatOf(readPipeline(files)) : null;
