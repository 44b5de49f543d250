/** Groups the tensors of a state dict into modules of torch.nn, which their names and shapes identify. */
import type { StateTensor } from './state-dict.js';

interface ModuleBase {
  /** `encoder.lstm`; '' for a state dict of a single module */
  path: string;
  /** The tensors by the part of their name after the path: `weight_ih_l0`. */
  tensors: ReadonlyMap<string, StateTensor>;
  /** Width of the input; null if it is unknown. */
  input: number | null;
  /** Width of the output. */
  output: number;
}

export interface RecurrentModule extends ModuleBase {
  kind: 'recurrent';
  cell: 'RNN' | 'LSTM' | 'GRU';
  /** Size of the state (H). */
  units: number;
  /** `proj_size` of an LSTM; 0: none. */
  projection: number;
  /** Number of layers. */
  depth: number;
  bidirectional: boolean;
  bias: boolean;
}

export interface SimpleModule extends ModuleBase {
  /** `matrix`: an Embedding, or a Linear without bias. */
  kind: 'linear' | 'embedding' | 'matrix' | 'layerNorm' | 'batchNorm' | 'conv1d';
}

/** Tensors that do not form a module that Unroll knows. */
export interface UnknownModule extends ModuleBase {
  kind: 'unknown';
  problem: string;
}

export type TorchModule = RecurrentModule | SimpleModule | UnknownModule;

/** Returns the modules in the order of their first tensors. */
export function modulesOf(tensors: readonly StateTensor[]): TorchModule[] {
  const groups = new Map<string, Map<string, StateTensor>>();
  for (const tensor of tensors) {
    const dot = tensor.name.lastIndexOf('.');
    const path = tensor.name.slice(0, Math.max(0, dot));
    const group = groups.get(path) ?? new Map<string, StateTensor>();
    group.set(tensor.name.slice(dot + 1), tensor);
    groups.set(path, group);
  }
  return [...groups].map(([path, group]) => moduleOf(path, group));
}

function moduleOf(path: string, tensors: Map<string, StateTensor>): TorchModule {
  const cell = tensors.get('weight_ih');
  // RNNCell, LSTMCell and GRUCell have one layer, and names without a layer number.
  if (cell)
    return recurrentModule(path, new Map([...tensors].map(([name, tensor]) => [`${name}_l0`, tensor])));
  if (tensors.has('weight_ih_l0')) return recurrentModule(path, tensors);
  return simpleModule(path, tensors);
}

const unknown = (
  path: string,
  tensors: ReadonlyMap<string, StateTensor>,
  problem: string,
): UnknownModule => ({
  ...{ kind: 'unknown', path, tensors, problem },
  ...{ input: null, output: 0 },
});

const CELLS: Readonly<Record<number, RecurrentModule['cell']>> = { 1: 'RNN', 3: 'GRU', 4: 'LSTM' };

function recurrentModule(path: string, tensors: ReadonlyMap<string, StateTensor>): TorchModule {
  const fail = (problem: string): UnknownModule => unknown(path, tensors, problem);
  const [ih, hh] = [shapeOf(tensors, 'weight_ih_l0'), shapeOf(tensors, 'weight_hh_l0')];
  if (ih.length !== 2 || hh.length !== 2 || ih[0] !== hh[0])
    return fail('weight_ih and weight_hh do not match');
  const projection = shapeOf(tensors, 'weight_hr_l0')[0] ?? 0;
  const units = projection > 0 ? ih[0] / 4 : hh[1];
  const cell = CELLS[ih[0] / units];
  if (!cell)
    return fail(`weight_ih has ${ih[0]} rows, not 1, 3 or 4 times its ${units} units (RNN, GRU, LSTM)`);
  const bidirectional = tensors.has('weight_ih_l0_reverse');
  const bias = tensors.has('bias_ih_l0');
  let depth = 1;
  while (tensors.has(`weight_ih_l${depth}`)) depth++;
  const width = projection || units;
  const output = bidirectional ? 2 * width : width;
  const expected = new Map<string, number[]>();
  for (let n = 0; n < depth; n++) {
    for (const suffix of bidirectional ? [`_l${n}`, `_l${n}_reverse`] : [`_l${n}`]) {
      expected.set(`weight_ih${suffix}`, [ih[0], n === 0 ? ih[1] : output]);
      expected.set(`weight_hh${suffix}`, [ih[0], width]);
      if (projection > 0) expected.set(`weight_hr${suffix}`, [projection, units]);
      if (bias) for (const part of ['ih', 'hh']) expected.set(`bias_${part}${suffix}`, [ih[0]]);
    }
  }
  const problem = mismatch(tensors, expected);
  if (problem !== null) return fail(problem);
  const base = { path, tensors, input: ih[1], output };
  return { kind: 'recurrent', ...base, cell, units, projection, depth, bidirectional, bias };
}

/** Returns what is wrong with the names and shapes of tensors; null if they are as expected. */
function mismatch(
  tensors: ReadonlyMap<string, StateTensor>,
  expected: ReadonlyMap<string, readonly number[]>,
): string | null {
  for (const [name, shape] of expected) {
    const found = tensors.get(name);
    if (!found) return `${name} is missing`;
    if (found.shape.join() !== shape.join())
      return `${name} must have shape [${shape.join(', ')}], got [${found.shape.join(', ')}]`;
  }
  const extra = [...tensors.keys()].find((name) => !expected.has(name));
  return extra === undefined ? null : `${extra} is not one of its parameters`;
}

const shapeOf = (tensors: ReadonlyMap<string, StateTensor>, name: string): readonly number[] =>
  tensors.get(name)?.shape ?? [];

function simpleModule(path: string, tensors: ReadonlyMap<string, StateTensor>): TorchModule {
  const names = new Set(tensors.keys());
  const weight = shapeOf(tensors, 'weight');
  const mean = tensors.get('running_mean');
  const module = (
    kind: SimpleModule['kind'],
    input: number | null,
    output: number,
    expected: Readonly<Record<string, readonly number[]>>,
  ): TorchModule => {
    const present = Object.entries(expected).filter(([name]) => names.has(name) || name === 'weight');
    const problem = mismatch(tensors, new Map(present));
    return problem === null ? { kind, path, tensors, input, output } : unknown(path, tensors, problem);
  };
  if (mean) {
    const [width = 0] = mean.shape;
    const vector = { bias: [width], running_mean: [width], running_var: [width], num_batches_tracked: [] };
    // BatchNorm1d(affine=False) has only statistics.
    return module('batchNorm', width, width, { ...(names.has('weight') && { weight: [width] }), ...vector });
  }
  if (weight.length === 1) {
    const [width] = weight;
    return module('layerNorm', width, width, { weight: [width], bias: [width] });
  }
  if (weight.length === 2 && names.has('bias'))
    return module('linear', weight[1], weight[0], { weight, bias: [weight[0]] });
  if (weight.length === 2) return module('matrix', weight[1], weight[0], { weight });
  if (weight.length === 3) return module('conv1d', null, weight[0], { weight, bias: [weight[0]] });
  return unknown(
    path,
    tensors,
    `Unroll does not know a module with the tensors ${[...names].slice(0, 6).join(', ')}`,
  );
}
