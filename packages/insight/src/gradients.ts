/** `gradientFlow`: how much of the gradient reaches the states of earlier steps. */
import { asTensor, type Tensor, valueError } from '@unroll/core';
import { checkOptions, formatValue } from '@unroll/core/internal';
import type { LossSpec } from '@unroll/train';
import type { DataArray } from './arrays.js';
import { differentiate, type LayerDerivatives, OUTPUT_OPTIONS, type OutputOptions } from './derivatives.js';
import { keepGateOf, keptShare } from './gates.js';
import { inputsOf, type MaskOption, type ModelInput, subjectOf } from './inputs.js';
import type { Inspectable } from './instrument.js';
import { selectSites } from './network.js';
import { spectralRadii } from './spectral.js';
import { type LagSummary, summarize } from './statistics.js';

export interface GradientFlowOptions extends MaskOption, OutputOptions {
  /** The loss to differentiate, for the targets y. Default: the output is differentiated. */
  loss?: LossSpec;
  /** Paths or names of the recurrent layers; a name selects all layers that have it. Default: all. */
  layers?: readonly string[];
  /** Also compute the spectral radius of the recurrent matrix U, with 20 [H, H] matrix products per gate. Default true. */
  spectralRadius?: boolean;
  /** Levels of the quantiles over the batch. Default [0.1, 0.5, 0.9]. */
  quantiles?: readonly number[];
}

/**
 * The norm of the derivative with respect to one state, by lag. The state at lag k is k steps before the step whose output or loss
 * is differentiated, in the order in which the layer processes the steps.
 */
export interface StateFlow extends LagSummary {
  /** The same summary, after the norms of each sequence have been divided by its norm at lag 0. */
  relative: LagSummary;
}

export interface LayerFlow {
  layer: string;
  className: string;
  cell: string;
  reverse: boolean;
  /** By state: `h`, and `c` for an LSTM. */
  states: Record<string, StateFlow>;
  /**
   * The share of the state at lag k that is left at lag 0: the product of the forget gates of the steps after lag k, averaged over
   * the units. For a GRU: the product of the shares that these steps keep. Null: the cell has no such gate.
   */
  forgetProduct: LagSummary | null;
  /** Largest absolute eigenvalue of U, for each gate; null: not requested, or the cell has no recurrent matrix. */
  spectralRadius: Record<string, number> | null;
}

export interface GradientFlow {
  of: 'output' | 'loss';
  /** For each sequence, the step whose output or loss is differentiated. */
  steps: Int32Array;
  /** Levels of all quantiles. */
  levels: number[];
  layers: LayerFlow[];
}

/**
 * Returns the norm of the derivative of the output at a step (or of the loss at this step) with respect to the states h and c of
 * this and all earlier steps, for every recurrent layer. If the norm falls exponentially with the lag, the gradient vanishes;
 * if it rises, the gradient explodes (Bengio et al. 1994; Pascanu et al. 2013).
 *
 * The derivatives are total: they include every path from the state to the output. At masked steps, the results are NaN.
 * @param x one batch [B, T, ...]
 * @param y the targets, for a loss; null: differentiate the output
 * @throws UnrollError `value` for unknown layers, invalid options, or only one of y and `loss`
 */
export async function gradientFlow(
  model: Inspectable,
  x: ModelInput,
  y: ModelInput | null = null,
  options: GradientFlowOptions = {},
): Promise<GradientFlow> {
  const types = {
    ...({ loss: true, layers: 'array', quantiles: 'array', spectralRadius: 'boolean', mask: true } as const),
    ...OUTPUT_OPTIONS,
  };
  checkOptions('gradientFlow', options, types);
  const { loss, layers, quantiles: levels = [0.1, 0.5, 0.9] } = options;
  const wrong = levels.find((level) => !(level >= 0 && level <= 1));
  if (wrong !== undefined)
    throw valueError(`gradientFlow: quantiles must be in [0, 1], got ${formatValue(wrong)}.`);
  if ((y === null) !== (loss === undefined)) {
    const given = loss === undefined ? 'y without the option loss' : 'loss without y';
    throw valueError(`gradientFlow takes both y and loss, or neither, got ${given}.`);
  }
  const subject = subjectOf(model, 'gradientFlow');
  const inputs = await inputsOf(x, options, 'gradientFlow');
  subject.network.build(inputs.sequences.map(({ value }) => [-1, ...value.shape.slice(1)]));
  const sites = selectSites(subject.network, layers, 'gradientFlow');
  const target = loss === undefined ? null : { loss, y: asTensor(y as Tensor) };
  const found = await differentiate(subject, inputs, sites, options, target);
  return {
    of: target ? 'loss' : 'output',
    steps: found.steps,
    levels: [...levels],
    layers: await Promise.all(
      found.layers.map(async (derivatives) => ({
        ...layerFlow(derivatives, found.steps, found.outputSteps, levels),
        spectralRadius:
          options.spectralRadius === false ? null : await spectralRadii(derivatives.run.site.layer),
      })),
    ),
  };
}

function layerFlow(
  derivatives: LayerDerivatives,
  steps: Int32Array,
  outputSteps: number | null,
  levels: readonly number[],
): Omit<LayerFlow, 'spectralRadius'> {
  const { site, cell, reverse } = derivatives.run;
  const states = Object.entries(derivatives.squares).map(([name, values]) => {
    const byLag = valuesByLag(values, derivatives, steps, outputSteps, Math.sqrt);
    return [
      name,
      { ...summarize(byLag, levels), relative: summarize(relativeToLag0(byLag), levels) },
    ] as const;
  });
  const keep = keptShare(keepGateOf(cell), derivatives.gates);
  return {
    layer: site.path,
    className: site.layer.className,
    cell: cell.className,
    reverse,
    states: Object.fromEntries(states),
    forgetProduct: keep && summarize(forgetProductByLag(keep, derivatives, steps, outputSteps), levels),
  };
}

/** Returns the step of lag 0 in row b, as an index into the time axis of the layer. */
function originOf(
  b: number,
  T: number,
  { mask, run: { reverse } }: LayerDerivatives,
  steps: Int32Array,
  outputSteps: number | null,
): number {
  if (outputSteps === T) return steps[b];
  const valid = (t: number): boolean => mask === null || mask.values[b * T + t] !== 0;
  let t = reverse ? 0 : T - 1;
  while (reverse ? t < T - 1 && !valid(t) : t > 0 && !valid(t)) t += reverse ? 1 : -1;
  return t;
}

/** Applies `map` to values [B, T] and indexes the results by lag instead of by step; NaN at lags without a valid step. */
function valuesByLag(
  { shape, values }: DataArray,
  derivatives: LayerDerivatives,
  steps: Int32Array,
  outputSteps: number | null,
  map: (value: number) => number,
): DataArray {
  const [B, T] = shape;
  const byLag = new Float64Array(B * T).fill(Number.NaN);
  for (let b = 0; b < B; b++) {
    const origin = originOf(b, T, derivatives, steps, outputSteps);
    for (let k = 0; k < T; k++) {
      const t = derivatives.run.reverse ? origin + k : origin - k;
      if (t < 0 || t >= T || derivatives.mask?.values[b * T + t] === 0) continue;
      byLag[b * T + k] = map(values[b * T + t]);
    }
  }
  return { shape: [B, T], values: byLag };
}

function relativeToLag0({ shape, values }: DataArray): DataArray {
  const K = shape[1];
  return { shape, values: values.map((value, i) => value / values[i - (i % K)]) };
}

/** Returns for each lag the product of the kept shares of all steps after it, averaged over the units. */
function forgetProductByLag(
  keep: DataArray,
  derivatives: LayerDerivatives,
  steps: Int32Array,
  outputSteps: number | null,
): DataArray {
  const [B, T, H] = keep.shape;
  const byLag = new Float64Array(B * T).fill(Number.NaN);
  for (let b = 0; b < B; b++) {
    const origin = originOf(b, T, derivatives, steps, outputSteps);
    const product = new Float64Array(H).fill(1);
    for (let k = 0; k < T; k++) {
      const t = derivatives.run.reverse ? origin + k : origin - k;
      if (t < 0 || t >= T) break;
      if (derivatives.mask?.values[b * T + t] === 0) continue;
      byLag[b * T + k] = product.reduce((sum, value) => sum + value, 0) / H;
      for (let u = 0; u < H; u++) product[u] *= keep.values[(b * T + t) * H + u];
    }
  }
  return { shape: [B, T], values: byLag };
}
