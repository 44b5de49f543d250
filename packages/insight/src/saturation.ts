/** `saturation`: the share of open and shut gates, the units whose output never changes, and how long each unit remembers. */
import { valueError } from '@unroll/core';
import { checkOptions, formatValue } from '@unroll/core/internal';
import { type DataArray, outputStates } from './arrays.js';
import { isBetween0And1, keptShare } from './gates.js';
import type { MaskOption, ModelInput } from './inputs.js';
import type { Inspectable } from './instrument.js';
import { type LayerTrace, trace } from './trace.js';

export interface SaturationOptions extends MaskOption {
  /** Paths or names of the recurrent layers. Default: all. */
  layers?: readonly string[];
  /** A gate below this value counts as shut, and a gate above 1 minus this value as open. Default 0.05. */
  threshold?: number;
  /** A unit is dead if the range of its output over all steps and sequences is below this value. Default 0.001. */
  deadRange?: number;
  /** Number of examples per batch. Default 256. */
  batchSize?: number;
}

/** Shares of values near the ends of their range. */
export interface Shares {
  /** Share below the threshold; for values in [-1, 1]: below -1 plus the threshold. */
  low: number;
  /** Share above 1 minus the threshold. */
  high: number;
  /** The same shares for each unit. */
  lowByUnit: Float64Array;
  highByUnit: Float64Array;
  /** Mean of each unit. */
  meanByUnit: Float64Array;
}

export interface LayerSaturation {
  layer: string;
  className: string;
  cell: string;
  units: number;
  /** Number of valid steps. */
  steps: number;
  /** Gates in [0, 1]: `i f o`, `z r`. */
  gates: Record<string, Shares>;
  /** Candidates and the state h, in [-1, 1] for tanh. */
  values: Record<string, Shares>;
  /** Indices of the units whose output varies less than `deadRange`; none if no step is valid. */
  dead: number[];
  /**
   * Steps after which half of a unit's state is forgotten, from the mean logarithm of its forget gate; infinite for a gate
   * that is always open, NaN if no step is valid. Null: the cell has no such gate.
   */
  halfLife: Float64Array | null;
}

/**
 * Returns how saturated the gates of each recurrent layer are on the data x [N, T, ...]: the shares of gate values below 0.05
 * and above 0.95, of candidates and states h near -1 and 1, dead units, and the half-life of each unit's memory. Masked steps do
 * not count.
 * @throws UnrollError `value` for unknown layers or invalid options
 */
export async function saturation(
  model: Inspectable,
  x: ModelInput,
  options: SaturationOptions = {},
): Promise<LayerSaturation[]> {
  checkOptions('saturation', options, {
    ...{ layers: 'array', threshold: 'number', deadRange: 'number', batchSize: 'count', mask: true },
  } as const);
  const { threshold = 0.05, deadRange = 1e-3, ...traceOptions } = options;
  if (!(threshold > 0 && threshold < 0.5))
    throw valueError(`saturation: threshold must be in (0, 0.5), got ${formatValue(threshold)}.`);
  const { layers } = await trace(model, x, traceOptions);
  return layers.map((layer) => saturationOf(layer, threshold, deadRange));
}

/** Returns the saturation of a traced layer. */
export function saturationOf(layer: LayerTrace, threshold = 0.05, deadRange = 1e-3): LayerSaturation {
  const valid = validSteps(layer);
  const gates: Record<string, Shares> = {};
  const values: Record<string, Shares> = {};
  for (const [name, array] of Object.entries(layer.gates)) {
    if (isBetween0And1(name, array)) gates[name] = sharesOf(array, valid, threshold, 1 - threshold);
    else values[name] = sharesOf(array, valid, threshold - 1, 1 - threshold);
  }
  for (const [name, array] of Object.entries(layer.states)) {
    if (/(^|\.)h$/.test(name)) values[name] = sharesOf(array, valid, threshold - 1, 1 - threshold);
  }
  const keep = keptShare(layer.keep, layer.gates);
  const output = outputStates(layer.states);
  const { layer: path, className, cell, units } = layer;
  return {
    ...{ layer: path, className, cell, units, steps: valid.length, gates, values },
    dead: output ? deadUnits(output, valid, deadRange) : [],
    halfLife: keep && halfLives(keep, valid),
  };
}

/** Returns the indices of the valid steps among all steps of all sequences. */
function validSteps({ mask, states }: LayerTrace): Uint32Array {
  const [first] = Object.values(states);
  const count = first ? first.shape[0] * first.shape[1] : 0;
  const all = Uint32Array.from({ length: count }, (_, step) => step);
  return mask ? all.filter((step) => mask.values[step] !== 0) : all;
}

function sharesOf({ shape, values }: DataArray, valid: Uint32Array, low: number, high: number): Shares {
  const H = shape[2];
  const lowByUnit = new Float64Array(H);
  const highByUnit = new Float64Array(H);
  const meanByUnit = new Float64Array(H);
  for (const step of valid) {
    for (let u = 0; u < H; u++) {
      const value = values[step * H + u];
      if (value < low) lowByUnit[u]++;
      else if (value > high) highByUnit[u]++;
      meanByUnit[u] += value;
    }
  }
  const count = Math.max(1, valid.length);
  for (const array of [lowByUnit, highByUnit, meanByUnit]) for (let u = 0; u < H; u++) array[u] /= count;
  const mean = (array: Float64Array): number => array.reduce((sum, value) => sum + value, 0) / H;
  return { low: mean(lowByUnit), high: mean(highByUnit), lowByUnit, highByUnit, meanByUnit };
}

/** Returns the units whose range over all valid steps is below `range`; none if no step is valid. */
function deadUnits({ shape, values }: DataArray, valid: Uint32Array, range: number): number[] {
  if (valid.length === 0) return [];
  const H = shape[2];
  const dead: number[] = [];
  for (let u = 0; u < H; u++) {
    let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (const step of valid) {
      const value = values[step * H + u];
      if (value < min) min = value;
      if (value > max) max = value;
    }
    if (max - min < range) dead.push(u);
  }
  return dead;
}

/** Returns ln(1/2) divided by the mean logarithm of the kept share, for each unit; NaN if no step is valid. */
function halfLives({ shape, values }: DataArray, valid: Uint32Array): Float64Array {
  const H = shape[2];
  if (valid.length === 0) return new Float64Array(H).fill(Number.NaN);
  const logs = new Float64Array(H);
  for (const step of valid) for (let u = 0; u < H; u++) logs[u] += Math.log(values[step * H + u]);
  return logs.map((total) =>
    total === 0 ? Number.POSITIVE_INFINITY : (Math.log(0.5) * valid.length) / total,
  );
}
