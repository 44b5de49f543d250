/** `ablate`: returns a model that shares the weights of another model, but in which units or a gate have a fixed value. */
import {
  add,
  type ForwardContext,
  type MaskedSequence,
  mul,
  Parameter,
  predict,
  type Shape,
  type Tensor,
  valueError,
} from '@unroll/core';
import { checkOptions, formatValue, hostTensor } from '@unroll/core/internal';
import { type Cell, cellFromConfig, type Network, type Recurrent, type StepResult } from '@unroll/nn';
import { gateOrder } from './cell-weights.js';
import { inputsOf, type MaskOption, type ModelInput, subjectOf } from './inputs.js';
import { type AblatedView, type Change, type Inspectable, withInstruments } from './instrument.js';
import { selectSites } from './network.js';
import type { StepHook } from './stepwise.js';

export interface AblateOptions {
  /** Path or name of the recurrent layer. A name that several layers have is rejected. */
  layer: string;
  /** Indices of the units to fix. Give either `units` or `gate`. */
  units?: readonly number[];
  /** The state whose units are fixed. If the cell returns this state as its output, the output is fixed, too. Default `h`. */
  state?: string;
  /** The gate to fix at every step and unit, named as in the equations of the cell: `f`, `z`, ... */
  gate?: string;
  /** The value of the units or of the gate (0: shut, 1: open). Default 0. */
  value?: number;
}

/** A model in which units or gates of recurrent layers are fixed. It shares its weights with the original model, `network`. */
export class AblatedModel implements AblatedView {
  readonly network: Network;
  readonly changes: readonly Change[];

  constructor(network: Network, changes: readonly Change[]) {
    this.network = network;
    this.changes = changes;
  }

  get name(): string {
    return this.network.name;
  }
  get built(): boolean {
    return this.network.built;
  }
  get parameters(): readonly Parameter[] {
    return this.network.parameters;
  }
  get config(): Readonly<Record<string, unknown>> {
    return this.network.config;
  }

  /** Returns the output for x [N, ...], or the first of several outputs. */
  async predict(x: ModelInput, options: MaskOption = {}): Promise<Tensor> {
    const { sequences } = await inputsOf(x, options, 'predict');
    return predict(
      this,
      sequences.map(({ value }) => value),
      { mask: sequences.map(({ mask }) => mask) },
    );
  }

  build(inputShapes: readonly Shape[]): void {
    this.network.build(inputShapes);
  }

  forward(inputs: readonly MaskedSequence[], context: ForwardContext): MaskedSequence[] {
    this.build(inputs.map(({ value }) => [-1, ...value.shape.slice(1)]));
    return withInstruments(this.network, { changes: this.changes }, () =>
      this.network.forward(inputs, context),
    );
  }

  outputShapes(inputs: readonly Shape[]): readonly Shape[] {
    return this.network.outputShapes(inputs);
  }
}

/**
 * Returns an ablated model, in which units or a gate of a recurrent layer have a fixed value at every step. It shares the
 * weights of `model`, which does not change. `predict` and all functions of this package that take a model, including `ablate`,
 * also take an ablated model.
 *
 *     const blind = ablate(network, { layer: 'lstm', gate: 'f', value: 0 });     // forgets at every step
 *     const damaged = ablate(network, { layer: 'lstm', units: [3, 7] });
 *
 * To fix a gate, its weights are set to 0 and its bias to the input for which the activation of the gate returns `value`, so
 * fused kernels run as usual. This needs a built-in cell. A layer with fixed units runs step by step.
 * @throws UnrollError `value` for an unknown layer, unit, state or gate, or a value that the gate cannot have
 */
export function ablate(model: Inspectable, options: AblateOptions): AblatedModel {
  checkOptions('ablate', options, {
    ...{ layer: 'string', units: 'array', state: 'string', gate: 'string', value: 'number' },
  } as const);
  const { network, changes } = subjectOf(model, 'ablate');
  const { units, gate, value = 0 } = options;
  if ((units === undefined) === (gate === undefined))
    throw valueError(`ablate takes exactly one of units and gate, got ${units ? 'both' : 'neither'}.`);
  const [site, ...others] = selectSites(network, [options.layer], 'ablate');
  if (others.length > 0) {
    const paths = [site, ...others].map(({ path }) => path).join(', ');
    const name = formatValue(options.layer);
    throw valueError(
      `ablate: several recurrent layers have the name ${name}. Pass one of the paths ${paths}.`,
    );
  }
  const { layer } = site;
  const change: Change = units
    ? { layer, makeCell: null, hook: unitHook(layer, units, options.state ?? 'h', value) }
    : { layer, makeCell: gateChange(layer, gate as string, value), hook: null };
  return new AblatedModel(network, [...changes, change]);
}

/** Returns a hook that replaces some units of a state by `value` in the result of each step. */
function unitHook(layer: Recurrent, units: readonly number[], state: string, value: number): StepHook {
  const { stateSizes } = layer.cell;
  const size = stateSizes[state];
  if (size === undefined) {
    const names = Object.keys(stateSizes).join(', ');
    throw valueError(`ablate: ${layer.label} has no state ${formatValue(state)}. Its states: ${names}.`);
  }
  const wrong = units.find((unit) => !(Number.isInteger(unit) && unit >= 0 && unit < size));
  if (wrong !== undefined)
    throw valueError(`ablate: units must be indices from 0 to ${size - 1}, got ${formatValue(wrong)}.`);
  const factors = new Float64Array(size).fill(1);
  const terms = new Float64Array(size);
  for (const unit of units) {
    factors[unit] = 0;
    terms[unit] = value;
  }
  return (result: StepResult): StepResult => {
    const before = result.state[state];
    const after = add(mul(before, hostTensor(factors, [1, size])), hostTensor(terms, [1, size]));
    return {
      ...result,
      y: result.y === before ? after : result.y,
      state: { ...result.state, [state]: after },
    };
  };
}

/** The largest input that a fixed gate gets: at ±100, the activations reach the ends of their range, up to rounding. */
const SATURATING_INPUT = 100;

/** Returns the input for which an activation returns `value`. @throws UnrollError `value` if there is none or it is not known */
function inverse(activation: unknown, value: number, owner: string): number {
  const inside = (low: number, high: number): boolean => value >= low && value <= high;
  if (activation === 'linear') return value;
  if (activation === 'sigmoid' && inside(0, 1)) return clamp(Math.log(value / (1 - value)));
  if (activation === 'tanh' && inside(-1, 1)) return clamp(Math.atanh(value));
  if (activation === 'hardSigmoid' && inside(0, 1))
    return value === 0 ? -SATURATING_INPUT : value === 1 ? SATURATING_INPUT : 6 * value - 3;
  throw valueError(
    `${owner} cannot be fixed to ${value} with the activation ${formatValue(activation)}. Possible values: 0 to 1 for sigmoid and hardSigmoid, -1 to 1 for tanh, any number for linear, none for other activations.`,
  );
}

const clamp = (x: number): number => Math.max(-SATURATING_INPUT, Math.min(SATURATING_INPUT, x));

/** Returns a function that creates a cell with the current weights of the layer and a fixed value of one gate. */
function gateChange(layer: Recurrent, gate: string, value: number): () => Cell {
  const { cell } = layer;
  const order = gateOrder(cell);
  // `U` stands for the only column block of a simple RNN, which has no gates.
  const index = order?.indexOf(gate) ?? -1;
  if (order === null || index < 0 || gate === 'U') {
    const known = order && gate !== 'U' ? order.join(', ') : 'none';
    throw valueError(
      `ablate: the gate ${formatValue(gate)} of ${layer.label} (${cell.className}) cannot be fixed. Gates that can be fixed: ${known}.`,
    );
  }
  const { activation, recurrentActivation } = cell.config;
  const isCandidate = gate === 'g' || gate === 'n';
  const candidateActivation =
    cell.className === 'MinGRUCell' ? (activation ?? 'logSpace') : (activation ?? 'tanh');
  const bias = inverse(
    isCandidate ? candidateActivation : (recurrentActivation ?? 'sigmoid'),
    value,
    `ablate: the gate ${gate}`,
  );
  return () => fixedCell(layer, order.length, index, bias);
}

/** Returns a copy of the cell of a layer in which the weights of one gate are 0 and its bias is `bias`. */
function fixedCell(layer: Recurrent, gateCount: number, index: number, bias: number): Cell {
  const { cell } = layer;
  const withBias = { className: cell.className, config: { ...cell.config, useBias: true } };
  const copy =
    cell.config.useBias === false ? cellFromConfig(withBias) : (cell.clone?.() ?? cellFromConfig(withBias));
  const byName = new Map(layer.parameters.map((parameter) => [parameter.name.split('/').at(-1), parameter]));
  copy.build(
    byName.get('kernel')?.shape[0] ?? 0,
    (name, shape) => {
      const values = Float64Array.from(byName.get(name)?.dataSync() ?? new Float64Array(sizeOf(shape)));
      fixColumns(name, values, shape, gateCount, index, bias, byName.has('gamma_input'));
      return new Parameter(name, shape, values, false);
    },
    {},
  );
  return copy;
}

const sizeOf = (shape: Shape): number => shape.reduce((size, extent) => size * extent, 1);

/** Sets the values of one gate in a parameter of a cell. */
function fixColumns(
  name: string,
  values: Float64Array,
  shape: Shape,
  gateCount: number,
  index: number,
  bias: number,
  isNormalized: boolean,
): void {
  const width = shape[shape.length - 1];
  // Layer normalisation is over all gates, so weights of 0 would change the other gates. Its factor gamma is set to 0 instead.
  const isWeight = isNormalized
    ? /^gamma_(input|recurrent)$/.test(name)
    : /kernel$/.test(name) && !/projection/.test(name);
  if (isWeight || name === 'bias') {
    const H = width / gateCount;
    for (let i = 0; i < values.length; i++) {
      if (Math.floor((i % width) / H) !== index) continue;
      // With `resetAfter`, a GRU has a second bias row, which becomes 0, because the reset gate would multiply it in the candidate.
      values[i] = name === 'bias' && i < width ? bias : 0;
    }
  } else if (name === 'peephole') {
    const row = ['i', 'f', 'o'].indexOf(['i', 'f', 'g', 'o'][index]);
    if (row >= 0) values.fill(0, row * width, (row + 1) * width);
  }
}
