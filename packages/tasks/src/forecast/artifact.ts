/** Reads and writes the files of a forecasting model: its pipeline and, unless it is a baseline, its network. */
import { UnrollError } from '@unroll/core';
import { encodeUtf8, type JsonObject } from '@unroll/core/internal';
import { toArtifact } from '@unroll/formats';
import type { Network } from '@unroll/nn';
import { PIPELINE_FILE, readNetwork, readPipeline } from '../shared/pipeline-file.js';
import { PIPELINE_FORMAT, type Pipeline } from './pipeline.js';
import type { Reference } from './transform.js';

export interface ForecastArtifact {
  pipeline: Pipeline;
  /** Null if the model is a baseline. */
  network: Network | null;
}

/**
 * Returns the files of a model: `pipeline.json`; `config.json` and `model.safetensors` for a network; `training.json` if
 * `training` is given.
 */
export async function writeForecast(
  { pipeline, network }: ForecastArtifact,
  training?: unknown,
): Promise<Map<string, Uint8Array>> {
  if (network !== null) return await toArtifact(network, { pipeline, training });
  const files = { [PIPELINE_FILE]: pipeline, 'training.json': training };
  const defined = Object.entries(files).filter(([, json]) => json !== undefined);
  return new Map(defined.map(([name, json]) => [name, encodeUtf8(`${JSON.stringify(json, null, 2)}\n`)]));
}

/**
 * Restores a model from its files.
 * @param json the content of pipeline.json, if it has been read before
 * @throws UnrollError `format` if files are missing or damaged, or do not belong to a forecasting model
 */
export function readForecast(
  files: ReadonlyMap<string, Uint8Array>,
  json: JsonObject = readPipeline(files),
): ForecastArtifact {
  const pipeline = checkPipeline(json);
  if (files.has('config.json')) return { pipeline, network: readNetwork(files) };
  if (pipeline.representations.length === 0) return { pipeline, network: null };
  throw new UnrollError('format', 'config.json is missing, so the network cannot be restored.');
}

const REQUIRED_KEYS = [
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
    'representations',
    'series',
  ],
  ...['margins', 'fallbackMargins', 'history', 'covariates'],
];

/** Returns the checked pipeline. @throws UnrollError `format` if its format is wrong or keys are missing */
function checkPipeline(json: JsonObject): Pipeline {
  if (json.format !== PIPELINE_FORMAT) {
    throw new UnrollError(
      'format',
      `pipeline.json does not belong to a forecasting model: format must be "${PIPELINE_FORMAT}", got ${JSON.stringify(json.format)}.`,
      {
        format: json.format,
      },
    );
  }
  const current = withCurrentNames(json);
  const missing = REQUIRED_KEYS.filter((name) => !(name in current));
  if (missing.length === 0) return withCurrentPlan(current as unknown as Pipeline);
  throw new UnrollError('format', `pipeline.json is damaged: ${missing.join(', ')} missing.`, { missing });
}

/** A representation, or the transform of a series, with the keys of earlier versions. */
type EarlierKeys = Record<string, unknown> & { absolute: boolean; anchor?: Reference };

/** Returns the pipeline with the current names. Earlier versions store the representations as `views`, with two other keys. */
function withCurrentNames(json: JsonObject): object {
  if (!Array.isArray(json.views) || !Array.isArray(json.series)) return json;
  const { views, series, ...rest } = json as unknown as {
    views: EarlierKeys[];
    series: { transforms?: (EarlierKeys | null)[] }[];
  };
  const renamed = ({ absolute, anchor = 'last', ...others }: EarlierKeys) => ({
    ...others,
    ...{ hasUnsubtractedChannel: absolute, reference: anchor },
  });
  return {
    ...rest,
    representations: views.map(renamed),
    series: series.map(({ transforms, ...others }) => ({
      ...others,
      transforms: transforms?.map((transform) => (transform === null ? null : renamed(transform))),
    })),
  };
}

/**
 * Returns the pipeline with all current keys of the plan. Earlier versions store the horizon chunk as `reach`, and store neither
 * `period` and `seasons` nor the lag of each network (`representations`).
 */
function withCurrentPlan(pipeline: Pipeline): Pipeline {
  const { reach, ...plan }: Pipeline['plan'] & { reach?: number } = pipeline.plan;
  const { season, period = season, seasons = season > 1 ? [season] : [] } = plan;
  const representations = pipeline.representations.map((each) => ({ ...each, lag: each.lag ?? plan.lag }));
  return { ...pipeline, representations, plan: { ...plan, chunk: plan.chunk ?? reach, period, seasons } };
}
