/**
 * RNN, LSTM and GRU nodes. ONNX concatenates the gates of the LSTM in the order i o f c and those of the GRU in the order
 * z r h, and has two biases, of the inputs and of the state. Directions are the first axis of weights, states and outputs.
 */
import type { FloatArray, Shape } from '@unroll/core';
import { strided, transposed } from '../arrays.js';
import type { NodeContext } from '../context.js';
import { known, size } from '../dimensions.js';
import { isolate, withStored } from '../layout.js';
import {
  type Axis,
  axisSize,
  current,
  fullValues,
  type ModelTensor,
  newAxis,
  type Reference,
  type Value,
} from '../values.js';
import { type CellFunction, cellFunctions, namedFunction } from './cell-functions.js';
import type { Operator } from './operator.js';

type Kind = 'RNN' | 'LSTM' | 'GRU';

/** Positions of ONNX's gates in the order of Unroll. */
const GATES: Readonly<Record<Kind, readonly number[]>> = { RNN: [0], LSTM: [0, 2, 3, 1], GRU: [0, 1, 2] };
/** ONNX's peephole weights are in the order i o f. */
const PEEPHOLES = [0, 2, 1];

interface Matrix {
  shape: Shape;
  values: FloatArray;
}

/** One direction of a node as a layer of Unroll. */
interface Direction {
  className: string;
  config: Record<string, unknown>;
  weights: Record<string, Matrix>;
}

/** Everything that a node needs besides its input. */
interface Setting {
  kind: Kind;
  units: number;
  features: number;
  clip: number | undefined;
  /** Names of the initial and final states. */
  states: readonly string[];
  directions: number;
  /** True if sequences are [batch, steps, features]. */
  batchFirst: boolean;
}

function convert(kind: Kind): Operator['convert'] {
  return (context) => {
    const x = context.tensor(0);
    const setting = settingOf(context, kind, x);
    const { directions, batchFirst } = setting;
    if (x.seen.length !== 3) throw context.error(`X must have 3 axes, got ${x.seen.length}`);
    context.requireBatch(x.seen[batchFirst ? 0 : 1], x, 'the batch axis');
    const input = withStored(context, x, batchFirst ? [1, 2] : [0, 2]);
    const functions = cellFunctions(context, kind, directions);
    const layers = Array.from({ length: directions }, (_, d) =>
      directionOf(context, setting, d, functions[d]),
    );
    const reverse = context.text('direction', 'forward') === 'reverse';
    return addLayer(context, setting, { input, layers, reverse, seen: x.seen });
  };
}

function settingOf(context: NodeContext, kind: Kind, x: ModelTensor): Setting {
  const direction = context.text('direction', 'forward');
  if (!['forward', 'reverse', 'bidirectional'].includes(direction))
    throw context.error(`the direction must be forward, reverse or bidirectional, got ${direction}`);
  const { extents } = context.constant(2, 'the recurrence matrix R');
  const units = extents[2] ?? 0;
  const features = known(axisSize(x.seen[2] ?? [])) ?? -1;
  const directions = direction === 'bidirectional' ? 2 : 1;
  const hidden = context.number('hidden_size', units);
  const gates = GATES[kind].length;
  const expected = [directions, gates * units, units];
  if (hidden !== units || units < 1 || extents.join() !== expected.join())
    throw context.error(
      `R must have the shape [${directions}, ${gates} * hidden_size, hidden_size], got [${extents.join(', ')}]`,
    );
  const clip = context.has('clip') ? context.number('clip') : undefined;
  const states = kind === 'LSTM' ? ['h', 'c'] : ['h'];
  return { kind, units, features, clip, states, directions, batchFirst: context.number('layout', 0) === 1 };
}

/** Returns the part of a weight that belongs to a direction, with its gates in the order of Unroll. */
function weightsOf(
  context: NodeContext,
  { kind, units, directions }: Setting,
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

function directionOf(
  context: NodeContext,
  setting: Setting,
  direction: number,
  functions: readonly CellFunction[],
): Direction {
  const { kind, units, features } = setting;
  const gates = GATES[kind].length;
  const W = weightsOf(context, setting, 1, 'the weight matrix W', direction, features);
  const U = weightsOf(context, setting, 2, 'the recurrence matrix R', direction, units);
  const biases = biasesOf(context, setting, direction);
  const weights: Record<string, Matrix> = {
    kernel: { shape: [features, gates * units], values: W },
    recurrent_kernel: { shape: [units, gates * units], values: U },
  };
  const base = { units, useBias: biases !== null };
  if (kind === 'RNN') return rnnCell(setting, functions, { base, weights, biases });
  if (kind === 'GRU') return gruCell(context, setting, functions, { base, weights, biases });
  return lstmCell(context, setting, functions, { base, weights, biases, direction });
}

interface CellParts {
  base: Record<string, unknown>;
  weights: Record<string, Matrix>;
  /** The biases of the inputs and of the state; null: none. */
  biases: readonly [FloatArray, FloatArray] | null;
}

function biasesOf(context: NodeContext, setting: Setting, direction: number): CellParts['biases'] {
  const { kind, units, directions } = setting;
  const given = context.optionalConstant(3, 'the bias B');
  if (!given) return null;
  const gates = GATES[kind];
  const width = gates.length * units;
  if (given.values.length !== directions * 2 * width)
    throw context.error(`the bias B has ${given.values.length} elements, expected ${directions * 2 * width}`);
  const part = (half: number): FloatArray => {
    const out = new (given.values.constructor as Float32ArrayConstructor)(width);
    gates.forEach((from, to) => {
      const begin = (direction * 2 + half) * width + from * units;
      out.set(given.values.subarray(begin, begin + units), to * units);
    });
    return out;
  };
  return [part(0), part(1)];
}

const summed = ([a, b]: readonly [FloatArray, FloatArray]): Matrix => ({
  shape: [a.length],
  values: a.map((value, i) => value + b[i]),
});

function rnnCell(
  { clip }: Setting,
  [f]: readonly CellFunction[],
  { base, weights, biases }: CellParts,
): Direction {
  if (biases) weights.bias = summed(biases);
  const name = namedFunction(f);
  if (name && clip === undefined)
    return { className: 'SimpleRNN', config: { ...base, ...option('activation', name, 'tanh') }, weights };
  return { className: 'GeneralRNN', config: { ...base, functions: [f], ...(clip && { clip }) }, weights };
}

/** Returns an option, unless it has its default. */
const option = (name: string, value: string, initial: string): Record<string, string> =>
  value === initial ? {} : { [name]: value };

function gruCell(
  context: NodeContext,
  { clip, units }: Setting,
  functions: readonly CellFunction[],
  { base, weights, biases }: CellParts,
): Direction {
  const resetAfter = context.number('linear_before_reset', 0) !== 0;
  const [f, g] = functions.map(namedFunction);
  const isPlain = f && g && clip === undefined;
  if (biases && isPlain && resetAfter)
    weights.bias = { shape: [2, 3 * units], values: Float32Array.from([...biases[0], ...biases[1]]) };
  else if (biases && resetAfter) {
    // The bias of the state belongs to the product with the reset gate, but only in the candidate.
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
  { clip, units, directions }: Setting,
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

/** The coupled cell has a forget gate f with i = 1 - f, ONNX an input gate with f = 1 - i. As 1 - σ(x) = σ(-x), f has -Wi. */
function coupledWeights(weights: Record<string, Matrix>, units: number): Record<string, Matrix> {
  return Object.fromEntries(
    Object.entries(weights).map(([name, { shape, values }]) => {
      const rows = values.length / (4 * units);
      const part = (gate: number, factor: number) =>
        strided(values, [rows, units], [4 * units, 1], gate * units).map((value) => value * factor);
      const parts = [part(0, -1), part(2, 1), part(3, 1)];
      const out = new Float32Array(rows * 3 * units);
      parts.forEach((part, gate) => {
        for (let row = 0; row < rows; row++)
          out.set(part.subarray(row * units, (row + 1) * units), (row * 3 + gate) * units);
      });
      return [name, { shape: [...shape.slice(0, -1), 3 * units], values: out }];
    }),
  );
}

interface Layers {
  input: ModelTensor;
  layers: Direction[];
  reverse: boolean;
  /** The axes of X. */
  seen: readonly Axis[];
}

function addLayer(
  context: NodeContext,
  setting: Setting,
  { input, layers, reverse, seen }: Layers,
): (Value | undefined)[] {
  const { writer } = context;
  const { states, kind } = setting;
  const returnSequences = context.reads(0);
  const needsStates = states.some((_, i) => context.reads(i + 1));
  // Without sequences, the output is the last h.
  const returnState = context.reads(2) || (returnSequences && needsStates);
  const mask = lengthMask(context, input);
  const initial = initialStates(context, setting, input);
  const options = { returnSequences, ...(returnState && { returnState }) };
  const zeroes = mask && returnSequences ? { zeroOutputForMask: true } : {};
  const from = context.node.label;
  const inputs = [input.ref, ...initial];
  const common = { inputs, from, ...(mask && { mask }) };
  const [first, second] = layers;
  let node: Reference;
  if (second) {
    const inner = ({ className, config }: Direction, name: string, more = {}): Record<string, unknown> => ({
      className,
      config: { ...config, ...options, name: `${name}_${kind.toLowerCase()}`, ...more },
    });
    const config = {
      layer: inner(first, 'forward'),
      backwardLayer: inner(second, 'backward', { goBackwards: true }),
    };
    const weights = Object.fromEntries(
      layers.flatMap(({ weights: own }, d) =>
        Object.entries(own).map(([name, matrix]) => [
          `${d === 0 ? 'forward' : 'backward'}_${kind.toLowerCase()}/${name}`,
          matrix,
        ]),
      ),
    );
    node = writer.add({ className: 'Bidirectional', config, weights, ...common });
  } else {
    const { className, config, weights } = first;
    node = writer.add({
      className,
      config: { ...config, ...options, ...zeroes, ...(reverse && { goBackwards: true }) },
      weights,
      ...common,
    });
  }
  return outputs(context, setting, {
    node,
    mask: mask !== null,
    returnSequences,
    returnState,
    reverse,
    input,
    seen,
  });
}

/** Returns the mask of sequences whose lengths are given; null: all steps count. */
function lengthMask(context: NodeContext, input: ModelTensor): Reference | null {
  const lengths = context.optional(4);
  if (lengths === null) return null;
  const steps = known(axisSize(input.stored[1]));
  if (lengths.kind !== 'tensor') {
    const values = fullValues(lengths);
    if (values?.every((length) => length === steps) || lengths.kind === 'sizes') return null;
    // A constant that repeats the unknown number of steps has that size as its value.
    throw context.error(
      'sequence_lens must be an input of the model, or the number of steps for all sequences',
    );
  }
  context.requireBatch(lengths.seen[0] ?? [], lengths, 'the axis of sequence_lens');
  return context.writer.operation({ operation: 'lengthMask' }, [input.ref, lengths.ref]);
}

/** Returns the initial states of all directions, [batch, units] each; none if they are zeros. */
function initialStates(context: NodeContext, setting: Setting, input: ModelTensor): Reference[] {
  const { states, directions } = setting;
  const given = states.map((_, i) => context.optional(5 + i));
  const isZero = (value: Value | null): boolean =>
    value === null || (value.kind === 'constant' && value.values.every((number) => number === 0));
  if (given.every(isZero)) return [];
  const byState = given.map((value) => stateParts(context, setting, input, value));
  return Array.from({ length: directions }, (_, d) => byState.map((parts) => parts[d])).flat();
}

/** Returns the state [batch, units] of each direction. */
function stateParts(
  context: NodeContext,
  setting: Setting,
  input: ModelTensor,
  value: Value | null,
): Reference[] {
  const { units, directions, batchFirst } = setting;
  const { writer } = context;
  if (value === null || value.kind !== 'tensor') return constantState(context, setting, input, value);
  const axes = batchFirst ? [1, 0, 2] : [0, 1, 2];
  const seen = axes.map((axis) => current(value.seen[axis] ?? []));
  context.requireBatch(seen[1], value, 'the batch axis of an initial state');
  const state: ModelTensor = { ...value, stored: value.stored.map(current), seen };
  if (directions === 1) return [writer.arrange(state, [current(state.stored[0]), seen[2]]).ref];
  const { tensor, at } = isolate(context, state, 0);
  const whole = writer.arrange(tensor, [current(state.stored[0]), tensor.stored[at], seen[2]]);
  return Array.from({ length: directions }, (_, d) =>
    units > 0 ? writer.operation({ operation: 'take', axis: 1, indices: d }, [whole.ref]) : whole.ref,
  );
}

/** Returns states that do not depend on the inputs of the model. */
function constantState(
  context: NodeContext,
  { units, directions, batchFirst }: Setting,
  input: ModelTensor,
  value: Value | null,
): Reference[] {
  const values =
    value && fullValues({ ...value, ...(value.kind === 'constant' && { shape: value.extents.map(size) }) });
  const batch = values ? values.length / (directions * units) : 0;
  if (value && (!values || !(batch >= 1) || !Number.isInteger(batch)))
    throw context.error('an initial state has an unknown size');
  return Array.from({ length: directions }, (_, d) => {
    const row = (b: number): FloatArray => {
      const begin = (batchFirst ? b * directions + d : d * batch + b) * units;
      return (values as FloatArray).slice(begin, begin + units);
    };
    const first = values ? row(0) : null;
    for (let b = 1; b < batch; b++)
      if (row(b).some((number, i) => number !== first?.[i]))
        throw context.error('an initial state has other constants for each sequence of a batch');
    const options = { operation: 'constant', operands: first ? [[units]] : [0], shape: [units] };
    const weights: Record<number, Matrix> = first ? { 1: { shape: [units], values: first } } : {};
    return context.writer.operation(options, [input.ref], weights, context.node.label);
  });
}

interface LayerOutputs {
  node: Reference;
  mask: boolean;
  returnSequences: boolean;
  returnState: boolean;
  reverse: boolean;
  input: ModelTensor;
  seen: readonly Axis[];
}

/** Returns Y, Y_h and Y_c. */
function outputs(context: NodeContext, setting: Setting, layer: LayerOutputs): (Value | undefined)[] {
  const { states, units, directions, batchFirst } = setting;
  const { node, returnSequences, returnState, input, seen } = layer;
  const { writer } = context;
  const batch = current(input.stored[0]);
  const feature = newAxis(size(units));
  const direction = newAxis(size(directions));
  const batchSeen = current(seen[batchFirst ? 0 : 1]);
  const float = { kind: 'tensor', type: 'float' } as const;
  const order = <T>(list: readonly [T, T, T, T]): T[] => [0, 1, 2, 3].map((i) => list[i]);
  const steps = current(input.stored[1]);
  const Y = (): ModelTensor => {
    const ref = alignedSequence(context, layer);
    const axes = batchFirst
      ? order<Axis>([batchSeen, steps, direction, feature])
      : order<Axis>([steps, direction, batchSeen, feature]);
    return { ...float, ref, stored: [batch, steps, [...direction, ...feature]], seen: axes };
  };
  const state = (index: number): ModelTensor => {
    const refs = Array.from({ length: directions }, (_, d): Reference => {
      if (!returnState) return node;
      return [node[0], 1 + d * states.length + index];
    });
    const isMerged = directions > 1 && returnState;
    const ref = isMerged
      ? writer.add({ className: 'Concatenate', config: { axis: 1 }, inputs: refs })
      : refs[0];
    const axes = batchFirst ? [batchSeen, direction, feature] : [direction, batchSeen, feature];
    return { ...float, ref, stored: [batch, [...direction, ...feature]], seen: axes };
  };
  return [
    returnSequences ? Y() : undefined,
    ...states.map((_, i) => (context.reads(i + 1) ? state(i) : undefined)),
  ];
}

/** Returns the sequence of outputs in time order, without a mask. */
function alignedSequence(context: NodeContext, { node, reverse, mask }: LayerOutputs): Reference {
  const { writer } = context;
  if (reverse) return writer.operation({ operation: 'reverse', axis: 1 }, [node]);
  return mask ? writer.operation({ operation: 'identity' }, [node]) : node;
}

const COMMON = [
  'activations',
  'activation_alpha',
  'activation_beta',
  'clip',
  'direction',
  'hidden_size',
  'layout',
];

export const recurrent: Record<string, Operator> = {
  RNN: {
    becomes: 'SimpleRNN or GeneralRNN, in Bidirectional',
    attributes: [...COMMON, 'output_sequence'],
    convert: convert('RNN'),
  },
  LSTM: {
    becomes: 'LSTM, PeepholeLSTM, CoupledLSTM or GeneralLSTM, in Bidirectional',
    attributes: [...COMMON, 'input_forget', 'output_sequence'],
    convert: convert('LSTM'),
  },
  GRU: {
    becomes: 'GRU or GeneralGRU, in Bidirectional',
    attributes: [...COMMON, 'linear_before_reset', 'output_sequence'],
    convert: convert('GRU'),
  },
};
