/** Files of a forecasting model: its pipeline, and its network if it has one. */
import { UnrollError } from '@unroll/core';
import { encodeUtf8, type JsonObject } from '@unroll/core/internal';
import { fromArtifact, toArtifact } from '@unroll/formats';
import type { Network } from '@unroll/nn';
import { PIPELINE_FILE, readPipeline } from '../shared/pipeline-file.js';
import { PIPELINE_FORMAT, type Pipeline } from './pipeline.js';

export interface ForecastArtifact {
  pipeline: Pipeline;
  /** Null for a baseline. */
  network: Network | null;
}

/** `pipeline.json`; for a network also `config.json` and `model.safetensors`; `training.json` if `training` is given. */
export async function writeForecast(
  { pipeline, network }: ForecastArtifact,
  training?: unknown,
): Promise<Map<string, Uint8Array>> {
  if (network !== null) return await toArtifact(network, { pipeline, training });
  const files = { [PIPELINE_FILE]: pipeline, 'training.json': training };
  const known = Object.entries(files).filter(([, json]) => json !== undefined);
  return new Map(known.map(([name, json]) => [name, encodeUtf8(`${JSON.stringify(json, null, 2)}\n`)]));
}

/** @throws UnrollError `format` for files that are missing, damaged, or not a forecasting model's */
export function readForecast(files: ReadonlyMap<string, Uint8Array>): ForecastArtifact {
  const pipeline = checkPipeline(readPipeline(files));
  if (files.has('config.json')) return { pipeline, network: fromArtifact(files).model };
  if (pipeline.views.length === 0) return { pipeline, network: null };
  throw new UnrollError('format', 'config.json is missing: the files contain no network.');
}

const NEEDED = [
  ...[
    'model',
    'fallback',
    'target',
    'time',
    'idColumn',
    'frequency',
    'start',
    'plan',
    'head',
    'levels',
    'views',
    'series',
  ],
  ...['margins', 'fallbackMargins', 'history', 'covariates'],
];

function checkPipeline(json: JsonObject): Pipeline {
  if (json.format !== PIPELINE_FORMAT) {
    throw new UnrollError(
      'format',
      `pipeline.json is not of a forecasting model: format must be "${PIPELINE_FORMAT}", got ${JSON.stringify(json.format)}.`,
      {
        format: json.format,
      },
    );
  }
  const missing = NEEDED.filter((name) => !(name in json));
  if (missing.length === 0) return withChunk(json as unknown as Pipeline);
  throw new UnrollError('format', `pipeline.json is damaged: ${missing.join(', ')} missing.`, { missing });
}

/** The plan of earlier files stores the horizon chunk as `reach`. */
function withChunk(pipeline: Pipeline): Pipeline {
  const { reach, ...plan }: Pipeline['plan'] & { reach?: number } = pipeline.plan;
  return { ...pipeline, plan: { ...plan, chunk: plan.chunk ?? reach } };
}
