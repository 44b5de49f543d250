/**
 * Converts one direction of an RNN, LSTM or GRU node to a layer of Unroll with its weights. ONNX concatenates the gates of the
 * LSTM in the order i o f c and the gates of the GRU in the order z r h. Each direction has two biases: one for the inputs and
 * one for the state.
 */
import type { FloatArray, Shape } from '@unroll/core';
import { strided, transposed } from '../arrays.js';
import type { NodeContext } from '../context.js';
import { type CellFunction, namedFunction } from './cell-functions.js';

export type Kind = 'RNN' | 'LSTM' | 'GRU';

/** For each gate in Unroll's order, its index in ONNX. */
export const GATES: Readonly<Record<Kind, readonly number[]>> = {
  RNN: [0],
  LSTM: [0, 2, 3, 1],
  GRU: [0, 1, 2],
};
/** For each row of peephole weights in Unroll's order (i f o), its index in ONNX (i o f). */
const PEEPHOLES = [0, 2, 1];

export interface Matrix {
  shape: Shape;
  values: FloatArray;
}

/** One direction of a node as a layer of Unroll. */
export interface Direction {
  className: string;
  config: Record<string, unknown>;
  weights: Record<string, Matrix>;
}

/** The properties of a node. */
export interface NodeProperties {
  kind: Kind;
  units: number;
  /** Number of input features. */
  features: number;
  clip: number | undefined;
  /** Names of the states: h, and c for an LSTM. */
  states: readonly string[];
  directions: number;
  /** True if sequences are [batch, steps, features]. */
  batchFirst: boolean;
}

/** Returns the part of a weight matrix that belongs to a direction, with its gates in the order of Unroll. */
function weightsOf(
  context: NodeContext,
  { kind, units, directions }: NodeProperties,
  index: number,
  what: string,
  direction: number,
  columns: number,
): FloatArray {
  const { values } = context.constant(index, what);
  const gates = GATES[kind];
  const block = units * columns;
  if (values.length !== directions * gates.length * block)
    throw context.error(
      `${what} has ${values.length} elements, expected ${directions * gates.length * block}`,
    );
  const out = new (values.constructor as Float32ArrayConstructor)(gates.length * block);
  gates.forEach((from, to) => {
    const begin = (direction * gates.length + from) * block;
    out.set(values.subarray(begin, begin + block), to * block);
  });
  // ONNX stores [gates * units, columns], Unroll [columns, gates * units].
  return columns === 1
    ? out
    : transposed({ extents: [gates.length * units, columns], values: out }, [1, 0]).values;
}

export function directionOf(
  context: NodeContext,
  properties: NodeProperties,
  direction: number,
  functions: readonly CellFunction[],
): Direction {
  const { kind, units, features } = properties;
  const gates = GATES[kind].length;
  const W = weightsOf(context, properties, 1, 'the weight matrix W', direction, features);
  const U = weightsOf(context, properties, 2, 'the recurrence matrix R', direction, units);
  const biases = biasesOf(context, properties, direction);
  const weights: Record<string, Matrix> = {
    kernel: { shape: [features, gates * units], values: W },
    recurrent_kernel: { shape: [units, gates * units], values: U },
  };
  const base = { units, useBias: biases !== null };
  if (kind === 'RNN') return rnnCell(properties, functions, { base, weights, biases });
  if (kind === 'GRU') return gruCell(context, properties, functions, { base, weights, biases });
  return lstmCell(context, properties, functions, { base, weights, biases, direction });
}

interface CellParts {
  base: Record<string, unknown>;
  weights: Record<string, Matrix>;
  /** The biases of the inputs and of the state; null: none. */
  biases: readonly [FloatArray, FloatArray] | null;
}

function biasesOf(context: NodeContext, properties: NodeProperties, direction: number): CellParts['biases'] {
  const { kind, units, directions } = properties;
  const constant = context.optionalConstant(3, 'the bias B');
  if (!constant) return null;
  const gates = GATES[kind];
  const width = gates.length * units;
  if (constant.values.length !== directions * 2 * width)
    throw context.error(
      `the bias B has ${constant.values.length} elements, expected ${directions * 2 * width}`,
    );
  const part = (half: number): FloatArray => {
    const out = new (constant.values.constructor as Float32ArrayConstructor)(width);
    gates.forEach((from, to) => {
      const begin = (direction * 2 + half) * width + from * units;
      out.set(constant.values.subarray(begin, begin + units), to * units);
    });
    return out;
  };
  return [part(0), part(1)];
}

/** Returns the sum of the two biases. */
const summed = ([a, b]: readonly [FloatArray, FloatArray]): Matrix => ({
  shape: [a.length],
  values: a.map((value, i) => value + b[i]),
});

function rnnCell(
  { clip }: NodeProperties,
  [f]: readonly CellFunction[],
  { base, weights, biases }: CellParts,
): Direction {
  if (biases) weights.bias = summed(biases);
  const name = namedFunction(f);
  if (name && clip === undefined)
    return { className: 'SimpleRNN', config: { ...base, ...option('activation', name, 'tanh') }, weights };
  return { className: 'GeneralRNN', config: { ...base, functions: [f], ...(clip && { clip }) }, weights };
}

/** Returns an option, or no option if the value is the default. */
const option = (name: string, value: string, defaultValue: string): Record<string, string> =>
  value === defaultValue ? {} : { [name]: value };

function gruCell(
  context: NodeContext,
  { clip, units }: NodeProperties,
  functions: readonly CellFunction[],
  { base, weights, biases }: CellParts,
): Direction {
  const resetAfter = context.number('linear_before_reset', 0) !== 0;
  const [f, g] = functions.map(namedFunction);
  const isPlain = f && g && clip === undefined;
  if (biases && isPlain && resetAfter)
    weights.bias = { shape: [2, 3 * units], values: Float32Array.from([...biases[0], ...biases[1]]) };
  else if (biases && resetAfter) {
    // Only the candidate needs the bias of the state on its own, because the reset gate multiplies it.
    const values = biases[0].map((value, i) => (i < 2 * units ? value + biases[1][i] : value));
    weights.bias = { shape: [3 * units], values };
    weights.candidate_bias = { shape: [units], values: biases[1].subarray(2 * units) };
  } else if (biases) weights.bias = summed(biases);
  if (!isPlain)
    return {
      className: 'GeneralGRU',
      config: { ...base, resetAfter, functions, ...(clip && { clip }) },
      weights,
    };
  const activations = { ...option('activation', g, 'tanh'), ...option('recurrentActivation', f, 'sigmoid') };
  return { className: 'GRU', config: { ...base, resetAfter, ...activations }, weights };
}

function lstmCell(
  context: NodeContext,
  { clip, units, directions }: NodeProperties,
  functions: readonly CellFunction[],
  { base, weights, biases, direction }: CellParts & { direction: number },
): Direction {
  const peepholes = context.optionalConstant(7, 'the peephole weights P');
  const coupled = context.number('input_forget', 0) !== 0;
  if (biases) weights.bias = summed(biases);
  if (peepholes) {
    const { values } = peepholes;
    if (values.length !== directions * 3 * units)
      throw context.error(
        `the peephole weights P have ${values.length} elements, expected ${directions * 3 * units}`,
      );
    const offset = direction * 3 * units;
    const rows = PEEPHOLES.map((row) => values.subarray(offset + row * units, offset + (row + 1) * units));
    weights.peephole = { shape: [3, units], values: Float32Array.from(rows.flatMap((row) => [...row])) };
  }
  const [f, g, h] = functions.map(namedFunction);
  const activations = {
    ...option('activation', g ?? '', 'tanh'),
    ...option('recurrentActivation', f ?? '', 'sigmoid'),
  };
  const isPlain = f && g && g === h && clip === undefined;
  if (isPlain && !coupled)
    return { className: peepholes ? 'PeepholeLSTM' : 'LSTM', config: { ...base, ...activations }, weights };
  if (isPlain && coupled && !peepholes && f === 'sigmoid')
    return {
      className: 'CoupledLSTM',
      config: { ...base, ...activations },
      weights: coupledWeights(weights, units),
    };
  const config = {
    ...base,
    functions,
    ...(clip && { clip }),
    ...(peepholes && { peephole: true }),
    ...(coupled && { coupled }),
  };
  return { className: 'GeneralLSTM', config, weights };
}

/**
 * Returns the weights of CoupledLSTM, which has a forget gate f and i = 1 - f. ONNX has an input gate i and f = 1 - i. Because
 * 1 - σ(x) = σ(-x), the weights of f are -Wi.
 */
function coupledWeights(weights: Record<string, Matrix>, units: number): Record<string, Matrix> {
  return Object.fromEntries(
    Object.entries(weights).map(([name, { shape, values }]) => {
      const rows = values.length / (4 * units);
      const block = (gate: number, factor: number) =>
        strided(values, [rows, units], [4 * units, 1], gate * units).map((value) => value * factor);
      const out = new Float32Array(rows * 3 * units);
      [block(0, -1), block(2, 1), block(3, 1)].forEach((gateValues, gate) => {
        for (let row = 0; row < rows; row++)
          out.set(gateValues.subarray(row * units, (row + 1) * units), (row * 3 + gate) * units);
      });
      return [name, { shape: [...shape.slice(0, -1), 3 * units], values: out }];
    }),
  );
}
