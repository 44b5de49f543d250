/**
 * Forecasts of networks at any origins: the one path for the backtest, for calibration and for saved models. The networks
 * stand side by side in one model, each with its own view of the series; the forecast is the mean of theirs, and where more
 * rows are asked for than they say at once, they go on from it (rollout.ts).
 */
import { currentBackend, predictAll } from '@unroll/core';
import { model as joined, type Network } from '@unroll/nn';
import type { Intervals } from './calibration.js';
import type { Origin, PanelEncoder } from './encoder.js';
import type { Head } from './heads.js';
import { type FittedNetwork, inputTensors, viewOf } from './network.js';
import type { Panel } from './panel.js';
import type { ForecastPlan } from './plan.js';
import { rollOut, type Stand } from './rollout.js';
import { warmUp } from './transform.js';

/** A quantile, or the mean. */
type Asked = number | 'mean';

export interface EnsembleParts {
  /** Takes the inputs of each view in turn, and gives [N, reach, parts] for each. */
  model: Network;
  head: Head;
  /** By view; all of the panel that is forecast. */
  encoders: readonly PanelEncoder[];
  /** Of the views: whether each sees the absolute size of changes. */
  views: readonly boolean[];
  plan: Omit<ForecastPlan, 'cut' | 'origins'>;
  levels: readonly number[];
}

/** The networks as one model. */
export function joinNetworks(networks: readonly FittedNetwork[]): Network {
  return joined({
    inputs: networks.flatMap(({ model }) => model.inputs),
    outputs: networks.flatMap(({ model }) => model.outputs),
  });
}

export class Ensemble {
  readonly #parts: EnsembleParts;
  /** The median, then both ends of each interval; the mean, from a head that has one. */
  readonly #asked: readonly Asked[];

  constructor(parts: EnsembleParts) {
    this.#parts = parts;
    this.#asked = [
      0.5,
      ...parts.levels.flatMap((level) => [(1 - level) / 2, (1 + level) / 2]),
      ...(parts.head.mean === undefined ? [] : ['mean' as const]),
    ];
  }

  /** True if all networks can forecast there. */
  reaches(origin: Origin): boolean {
    return this.#parts.encoders.every((encoder) => encoder.reaches(origin));
  }

  /**
   * Uncalibrated forecasts at origins that are reached.
   * @param horizon rows to forecast. Default: as many as planned
   */
  async forecast(
    panel: Panel,
    origins: readonly Origin[],
    horizon = this.#parts.plan.horizon,
  ): Promise<Intervals[]> {
    if (origins.length === 0) return [];
    const { plan } = this.#parts;
    const options = { ...plan, horizon, rows: warmUp(plan) };
    return rollOut(panel, origins, options, (stand) => this.#block(stand));
  }

  /** The rows that the networks say at once. */
  async #block(stand: Stand): Promise<Intervals[]> {
    const { model, plan, views } = this.#parts;
    const { float } = currentBackend();
    const encoders = this.#parts.encoders.map((encoder) => encoder.for(stand));
    const inputs = encoders.flatMap((encoder, v) =>
      inputTensors(encoder.encode(stand.origins, { floats: float }), encoder, viewOf(plan, views[v])),
    );
    const outputs = await predictAll(model, inputs);
    const each: Float64Array[][][] = [];
    for (const [v, encoder] of encoders.entries()) {
      each.push(this.#read(await outputs[v].data(), encoder, stand.origins));
    }
    return this.#mean(each, stand.origins.length);
  }

  /** What is asked for, off outputs [N, reach, parts] of one network: [origin][asked] of [reach]. */
  #read(outputs: ArrayLike<number>, encoder: PanelEncoder, origins: readonly Origin[]): Float64Array[][] {
    const { head, plan } = this.#parts;
    const numbers = new Float64Array(head.parts);
    return origins.map((origin, n) => {
      const unit = encoder.unit(origin);
      return this.#asked.map((what) => {
        const scaled = Float64Array.from({ length: plan.reach }, (_, k) => {
          const at = (n * plan.reach + k) * head.parts;
          for (let part = 0; part < head.parts; part++) numbers[part] = outputs[at + part];
          if (what !== 'mean') return head.quantile(numbers, what, unit);
          return head.mean?.(numbers, unit) ?? Number.NaN;
        });
        return encoder.output(origin, scaled);
      });
    });
  }

  /** The mean over the networks of [network][origin][asked], for each of `count` origins. */
  #mean(each: readonly Float64Array[][][], count: number): Intervals[] {
    const { levels } = this.#parts;
    return Array.from({ length: count }, (_, n) => {
      const [median, ...rest] = each[0][n].map((__, q) => meanOf(each.map((asked) => asked[n][q])));
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
