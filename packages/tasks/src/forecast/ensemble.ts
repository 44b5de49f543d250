/**
 * Network forecasts at any origins, for the backtest, calibration and saved models. The networks are joined into one model,
 * each with its own view of the series; the forecast is the mean of their outputs. Horizons longer than one chunk are
 * forecast recursively (rollout.ts).
 */
import { currentBackend, predictAll } from '@unroll/core';
import { model as joined, type Network } from '@unroll/nn';
import type { Intervals } from './calibration.js';
import type { Origin, PanelEncoder } from './encoder.js';
import type { Head } from './heads.js';
import { type FittedNetwork, inputTensors, viewOf } from './network.js';
import type { Panel } from './panel.js';
import type { ForecastPlan } from './plan.js';
import { type ForecastOrigins, rollOut } from './rollout.js';
import { warmUp } from './transform.js';

/** A quantile level, or the mean. */
type Statistic = number | 'mean';

export interface EnsembleParts {
  /** Takes the inputs of each view in turn, and outputs [N, chunk, parts] for each. */
  model: Network;
  head: Head;
  /** One for each view, all for the panel to forecast. */
  encoders: readonly PanelEncoder[];
  /** For each view: whether it includes the absolute size of changes. */
  views: readonly boolean[];
  plan: Omit<ForecastPlan, 'cut' | 'origins'>;
  levels: readonly number[];
}

/** Joins the networks into one model. */
export function joinNetworks(networks: readonly FittedNetwork[]): Network {
  return joined({
    inputs: networks.flatMap(({ model }) => model.inputs),
    outputs: networks.flatMap(({ model }) => model.outputs),
  });
}

export class Ensemble {
  readonly #parts: EnsembleParts;
  /** The median, both bounds of each interval, and the mean if the head has one. */
  readonly #statistics: readonly Statistic[];

  constructor(parts: EnsembleParts) {
    this.#parts = parts;
    this.#statistics = [
      0.5,
      ...parts.levels.flatMap((level) => [(1 - level) / 2, (1 + level) / 2]),
      ...(parts.head.mean === undefined ? [] : ['mean' as const]),
    ];
  }

  /** True if all networks can forecast from the origin. */
  canForecast(origin: Origin): boolean {
    return this.#parts.encoders.every((encoder) => encoder.canForecast(origin));
  }

  /**
   * Uncalibrated forecasts at origins that satisfy `canForecast`.
   * @param horizon rows to forecast. Default: the horizon of the plan
   */
  async forecast(
    panel: Panel,
    origins: readonly Origin[],
    horizon = this.#parts.plan.horizon,
  ): Promise<Intervals[]> {
    if (origins.length === 0) return [];
    const { plan } = this.#parts;
    const options = { ...plan, horizon, rows: warmUp(plan) };
    return rollOut(panel, origins, options, (from) => this.#forecastChunk(from));
  }

  /** The first horizon chunk. */
  async #forecastChunk(from: ForecastOrigins): Promise<Intervals[]> {
    const { model, plan, views } = this.#parts;
    const { float } = currentBackend();
    const encoders = this.#parts.encoders.map((encoder) => encoder.for(from));
    const inputs = encoders.flatMap((encoder, v) =>
      inputTensors(encoder.encode(from.origins, { floats: float }), encoder, viewOf(plan, views[v])),
    );
    const outputs = await predictAll(model, inputs);
    const each: Float64Array[][][] = [];
    for (const [v, encoder] of encoders.entries()) {
      each.push(this.#read(await outputs[v].data(), encoder, from.origins));
    }
    return this.#mean(each, from.origins.length);
  }

  /** The statistics of outputs [N, chunk, parts] of one network: [origin][statistic] of [chunk]. */
  #read(outputs: ArrayLike<number>, encoder: PanelEncoder, origins: readonly Origin[]): Float64Array[][] {
    const { head, plan } = this.#parts;
    const numbers = new Float64Array(head.parts);
    return origins.map((origin, n) => {
      const unit = encoder.unit(origin);
      return this.#statistics.map((what) => {
        const scaled = Float64Array.from({ length: plan.chunk }, (_, k) => {
          const offset = (n * plan.chunk + k) * head.parts;
          for (let part = 0; part < head.parts; part++) numbers[part] = outputs[offset + part];
          if (what !== 'mean') return head.quantile(numbers, what, unit);
          return head.mean?.(numbers, unit) ?? Number.NaN;
        });
        return encoder.output(origin, scaled);
      });
    });
  }

  /** The mean over the networks of [network][origin][statistic], for each of `count` origins. */
  #mean(each: readonly Float64Array[][][], count: number): Intervals[] {
    const { levels } = this.#parts;
    return Array.from({ length: count }, (_, n) => {
      const [median, ...rest] = each[0][n].map((__, q) => meanOf(each.map((statistics) => statistics[n][q])));
      const ends = rest.slice(0, 2 * levels.length);
      const mean = rest.at(2 * levels.length);
      return {
        median,
        lower: ends.filter((__, i) => i % 2 === 0),
        upper: ends.filter((__, i) => i % 2 === 1),
        ...(mean && { mean }),
      };
    });
  }
}

function meanOf(arrays: readonly Float64Array[]): Float64Array {
  return arrays[0].map((_, k) => arrays.reduce((sum, array) => sum + array[k], 0) / arrays.length);
}
