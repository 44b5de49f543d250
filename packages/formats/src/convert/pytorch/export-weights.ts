/** Converts the parameters of layers to tensors of PyTorch's modules: the inverse of weights.ts. */
import type { FloatArray, Shape } from '@unroll/core';
import type { NamedTensor } from './pickle-writer.js';
import { type CellType, transpose } from './weights.js';

/** A parameter of a model with its values. */
export interface Weight {
  shape: Shape;
  values: FloatArray;
}

/** Returns the parameter of a layer with this name; undefined if the layer has none. */
export type WeightsOf = (name: string) => Weight | undefined;

/** For each gate in PyTorch's order, its index in Unroll. */
const GATES = { RNN: [0], LSTM: [0, 1, 2, 3], GRU: [1, 0, 2] } as const;

/** Returns an array [G * H, columns] with its gates in this order. */
function ordered(values: FloatArray, order: readonly number[]): FloatArray {
  const size = values.length / order.length;
  const out = values.slice();
  order.forEach((from, to) => {
    out.set(values.subarray(from * size, (from + 1) * size), to * size);
  });
  return out;
}

/**
 * Returns the tensors of one layer in one direction.
 * @param suffix end of the names: `_l0`, `_l0_reverse`
 * @param negateUpdate true for GRU layers whose update gate multiplies the candidate instead of the old state
 */
export function recurrentTensors(
  module: string,
  suffix: string,
  cell: CellType,
  weight: WeightsOf,
  negateUpdate = false,
): NamedTensor[] {
  const order = GATES[cell];
  const tensors: NamedTensor[] = [];
  const add = (part: string, shape: Shape, values: FloatArray): void => {
    tensors.push({ name: `${module}.${part}${suffix}`, shape, values });
  };
  const gates = (values: FloatArray): FloatArray => {
    const out = ordered(values, order);
    // 1 - σ(a) = σ(-a). The update gate is the second gate of PyTorch's GRU.
    if (negateUpdate) for (let i = out.length / 3; i < (2 * out.length) / 3; i++) out[i] = -out[i];
    return out;
  };
  for (const [part, name] of [['weight_ih', 'kernel'] as const, ['weight_hh', 'recurrent_kernel'] as const]) {
    const { shape, values } = required(weight, name);
    const [rows, columns] = shape;
    add(part, [columns, rows], gates(transpose(values, rows, columns)));
  }
  const bias = weight('bias');
  if (bias) {
    const width = bias.shape[bias.shape.length - 1];
    const recurrent = bias.shape.length > 1 ? bias.values.subarray(width) : new Float32Array(width);
    add('bias_ih', [width], gates(bias.values.subarray(0, width)));
    add('bias_hh', [width], gates(recurrent));
  }
  const projection = weight('projection_kernel');
  if (projection) {
    const [units, width] = projection.shape;
    add('weight_hr', [width, units], transpose(projection.values, units, width));
  }
  return tensors;
}

/** Returns a parameter that the layer always has. */
export function required(weight: WeightsOf, name: string): Weight {
  const found = weight(name);
  if (!found) throw new Error(`The layer has no parameter ${name}.`);
  return found;
}

/** Returns parameters as tensors with other names. @param names names of the parameters, by tensor name */
export const renamed = (
  module: string,
  weight: WeightsOf,
  names: Readonly<Record<string, string>>,
): NamedTensor[] =>
  Object.entries(names).flatMap(([name, parameter]) => {
    const found = weight(parameter);
    return found ? [{ name: `${module}.${name}`, shape: found.shape, values: found.values }] : [];
  });

/** Returns the tensors of nn.Linear: W [I, O] becomes [O, I]. */
export function denseTensors(module: string, weight: WeightsOf): NamedTensor[] {
  const { shape, values } = required(weight, 'kernel');
  const [rows, columns] = shape;
  const kernel = {
    name: `${module}.weight`,
    shape: [columns, rows],
    values: transpose(values, rows, columns),
  };
  return [kernel, ...renamed(module, weight, { bias: 'bias' })];
}

/** Returns the tensors of nn.Conv1d: W [k, I, O] becomes [O, I, k]. */
export function convolutionTensors(module: string, weight: WeightsOf): NamedTensor[] {
  const { shape, values } = required(weight, 'kernel');
  const [size, input, filters] = shape;
  const out = new Float32Array(values.length);
  for (let k = 0, at = 0; k < size; k++)
    for (let i = 0; i < input; i++)
      for (let o = 0; o < filters; o++) out[(o * input + i) * size + k] = values[at++];
  const kernel = { name: `${module}.weight`, shape: [filters, input, size], values: out };
  return [kernel, ...renamed(module, weight, { bias: 'bias' })];
}
