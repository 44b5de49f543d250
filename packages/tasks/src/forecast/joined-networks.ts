/**
 * Forecasts from any origin with the networks of a forecaster, for the backtest, calibration and saved models. The networks have
 * different inputs and are joined into one model; the forecast is the mean of their forecasts. Horizons longer than one chunk are
 * forecast recursively (rollout.ts). The `ensemble` of the leaderboard, which also contains baselines, is in combination.ts.
 */
import { currentBackend, predictAll, type Tensor } from '@unroll/core';
import { model as joined, type Network } from '@unroll/nn';
import { asIntervals, type Intervals } from './calibration.js';
import type { Origin, PanelEncoder } from './encoder.js';
import type { Head } from './heads.js';
import { levelledOrigins } from './levelled.js';
import { type FittedNetwork, inputTensors, networkPlanOf, type Representation } from './network.js';
import type { Panel } from './panel.js';
import type { StoredPlan } from './plan.js';
import { type ForecastOrigins, rollOut } from './rollout.js';
import { warmUp } from './transform.js';

/** A statistic of the forecast distribution: a quantile (its level, 0 to 1) or the mean. */
type Statistic = number | 'mean';

export interface JoinedParts {
  /**
   * The joined networks. The inputs are those of the first network, then those of the second, and so on. There is one output
   * [N, plan.chunk, head.outputs] for each network.
   */
  model: Network;
  head: Head;
  /** The encoder of each network, for the panel to forecast. */
  encoders: readonly PanelEncoder[];
  /** How the target is represented in the inputs of each network. */
  representations: readonly Representation[];
  plan: Omit<StoredPlan, 'representations'>;
  /** Probabilities of the intervals. */
  levels: readonly number[];
}

/** Returns one model with the inputs and outputs of all networks. */
export function joinNetworks(networks: readonly FittedNetwork[]): Network {
  return joined({
    inputs: networks.flatMap(({ model }) => model.inputs),
    outputs: networks.flatMap(({ model }) => model.outputs),
  });
}

export class JoinedNetworks {
  readonly #parts: JoinedParts;
  /** The median, the lower and upper bound of each interval, and the mean if the head has one; for point forecasts, only the median. */
  readonly #statistics: readonly Statistic[];

  constructor(parts: JoinedParts) {
    this.#parts = parts;
    this.#statistics =
      parts.head.name === 'point'
        ? [0.5]
        : [
            0.5,
            ...parts.levels.flatMap((level) => [(1 - level) / 2, (1 + level) / 2]),
            ...(parts.head.mean === undefined ? [] : ['mean' as const]),
          ];
  }

  /** Returns whether all networks can forecast from the origin. */
  canForecast(origin: Origin): boolean {
    return this.#parts.encoders.every((encoder) => encoder.canForecast(origin));
  }

  /**
   * Returns uncalibrated forecasts from origins that satisfy `canForecast`.
   * @param horizon rows to forecast. Default: the horizon of the plan
   */
  async forecast(
    panel: Panel,
    origins: readonly Origin[],
    horizon = this.#parts.plan.horizon,
  ): Promise<Intervals[]> {
    if (origins.length === 0) return [];
    const { plan } = this.#parts;
    const levelled = levelledOrigins(panel, origins, plan);
    const options = { ...plan, horizon, rows: warmUp(plan) };
    const forecastFrom = (from: ForecastOrigins) =>
      rollOut(from, options, (each) => this.#forecastChunk(each));
    const outlierForecasts: Intervals[] = [];
    for (const from of levelled.asOutliers) outlierForecasts.push(...(await forecastFrom(from)));
    return levelled.merge(await forecastFrom(levelled.asShifts), outlierForecasts);
  }

  /** Returns the inputs of all networks for one origin. */
  inputsOf(origin: Origin): Tensor[] {
    const { plan, representations, encoders } = this.#parts;
    const { float } = currentBackend();
    return encoders.flatMap((encoder, i) =>
      inputTensors(
        encoder.encode([origin], { floats: float }),
        encoder,
        networkPlanOf(plan, representations[i]),
      ),
    );
  }

  /** Forecasts one horizon chunk (`plan.chunk` steps) from each origin. */
  async #forecastChunk(from: ForecastOrigins): Promise<Intervals[]> {
    const { model, plan, representations } = this.#parts;
    const { float } = currentBackend();
    const encoders = this.#parts.encoders.map((encoder) => encoder.forPanel(from));
    const inputs = encoders.flatMap((encoder, i) => {
      const rows = encoder.encode(from.origins, { floats: float });
      return inputTensors(rows, encoder, networkPlanOf(plan, representations[i]));
    });
    const outputs = await predictAll(model, inputs);
    const statistics: Float64Array[][][] = [];
    for (const [i, encoder] of encoders.entries()) {
      statistics.push(this.#toStatistics(await outputs[i].data(), encoder, from.origins));
    }
    return this.#average(statistics, from.origins.length);
  }

  /**
   * Converts the outputs [N, plan.chunk, head.outputs] of one network to statistics. `result[origin][statistic]` is an array of
   * `chunk` values.
   */
  #toStatistics(
    outputs: ArrayLike<number>,
    encoder: PanelEncoder,
    origins: readonly Origin[],
  ): Float64Array[][] {
    const { head, plan } = this.#parts;
    const stepOutputs = new Float64Array(head.outputs);
    return origins.map((origin, n) => {
      const unit = encoder.unit(origin);
      return this.#statistics.map((statistic) => {
        const scaled = Float64Array.from({ length: plan.chunk }, (_, k) => {
          const offset = (n * plan.chunk + k) * head.outputs;
          for (let i = 0; i < head.outputs; i++) stepOutputs[i] = outputs[offset + i];
          if (statistic !== 'mean') return head.quantile(stepOutputs, statistic, unit);
          return head.mean?.(stepOutputs, unit) ?? Number.NaN;
        });
        return encoder.output(origin, scaled);
      });
    });
  }

  /** Averages `statistics[network][origin][statistic]` over the networks. Returns the forecast from each origin. */
  #average(statistics: readonly Float64Array[][][], originCount: number): Intervals[] {
    const { levels } = this.#parts;
    return Array.from({ length: originCount }, (_, n) => {
      const [median, ...rest] = statistics[0][n].map((__, s) =>
        meanOf(statistics.map((ofNetwork) => ofNetwork[n][s])),
      );
      if (rest.length === 0) return asIntervals(median, levels);
      const bounds = rest.slice(0, 2 * levels.length);
      const mean = rest.at(2 * levels.length);
      return {
        median,
        lower: bounds.filter((__, i) => i % 2 === 0),
        upper: bounds.filter((__, i) => i % 2 === 1),
        ...(mean && { mean }),
      };
    });
  }
}

function meanOf(arrays: readonly Float64Array[]): Float64Array {
  return arrays[0].map((_, k) => arrays.reduce((sum, array) => sum + array[k], 0) / arrays.length);
}
