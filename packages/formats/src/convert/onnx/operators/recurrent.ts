/**
 * Converts RNN, LSTM and GRU nodes with their states, directions and outputs. With layout 0, weights are [directions, ...],
 * states [directions, batch, units], and Y is [steps, directions, batch, units].
 */
import type { FloatArray } from '@unroll/core';
import type { NodeContext } from '../context.js';
import { knownSize, size } from '../dimensions.js';
import { isolate, withModelAxes } from '../layout.js';
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
import { cellFunctions } from './cell-functions.js';
import type { Operator } from './operator.js';
import {
  type Direction,
  directionOf,
  GATES,
  type Kind,
  type Matrix,
  type NodeProperties,
} from './recurrent-cells.js';

function convert(kind: Kind): Operator['convert'] {
  return (context) => {
    const x = context.tensor(0);
    const properties = propertiesOf(context, kind, x);
    const { directions, batchFirst } = properties;
    if (x.onnxAxes.length !== 3) throw context.error(`X must have 3 axes, got ${x.onnxAxes.length}`);
    context.requireBatch(x.onnxAxes[batchFirst ? 0 : 1], x, 'the batch axis');
    const input = withModelAxes(context, x, batchFirst ? [1, 2] : [0, 2]);
    const functions = cellFunctions(context, kind, directions);
    const layers = Array.from({ length: directions }, (_, d) =>
      directionOf(context, properties, d, functions[d]),
    );
    const reverse = context.text('direction', 'forward') === 'reverse';
    return addLayer(context, properties, { input, layers, reverse, onnxAxes: x.onnxAxes });
  };
}

function propertiesOf(context: NodeContext, kind: Kind, x: ModelTensor): NodeProperties {
  const direction = context.text('direction', 'forward');
  if (!['forward', 'reverse', 'bidirectional'].includes(direction))
    throw context.error(`the direction must be forward, reverse or bidirectional, got ${direction}`);
  const { extents } = context.constant(2, 'the recurrence matrix R');
  const units = extents[2] ?? 0;
  const features = knownSize(axisSize(x.onnxAxes[2] ?? [])) ?? -1;
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

interface Layers {
  input: ModelTensor;
  layers: Direction[];
  reverse: boolean;
  /** The axes of X. */
  onnxAxes: readonly Axis[];
}

function addLayer(
  context: NodeContext,
  properties: NodeProperties,
  { input, layers, reverse, onnxAxes }: Layers,
): (Value | undefined)[] {
  const { writer } = context;
  const { states, kind } = properties;
  const returnSequences = context.isOutputRead(0);
  const needsStates = states.some((_, i) => context.isOutputRead(i + 1));
  // Without sequences, the output is the last h.
  const returnState = context.isOutputRead(2) || (returnSequences && needsStates);
  const mask = lengthMask(context, input);
  const initial = initialStates(context, properties, input);
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
      layers.flatMap(({ weights: layerWeights }, d) =>
        Object.entries(layerWeights).map(([name, matrix]) => [
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
  return outputs(context, properties, {
    node,
    isMasked: mask !== null,
    returnSequences,
    returnState,
    reverse,
    input,
    onnxAxes,
  });
}

/** Returns the mask that follows from sequence_lens; null if all steps are valid. */
function lengthMask(context: NodeContext, input: ModelTensor): Reference | null {
  const lengths = context.optional(4);
  if (lengths === null) return null;
  const steps = knownSize(axisSize(input.modelAxes[1]));
  if (lengths.kind !== 'tensor') {
    const values = fullValues(lengths);
    // Lengths of the kind `sizes` are computed from shapes: they repeat the unknown number of steps.
    if (values?.every((length) => length === steps) || lengths.kind === 'sizes') return null;
    throw context.error('sequence_lens must be an input of the model, or contain only the number of steps');
  }
  context.requireBatch(lengths.onnxAxes[0] ?? [], lengths, 'the axis of sequence_lens');
  return context.writer.operation({ operation: 'lengthMask' }, [input.ref, lengths.ref]);
}

/** Returns the initial states of all directions, [batch, units] each; none if they are zeros. */
function initialStates(context: NodeContext, properties: NodeProperties, input: ModelTensor): Reference[] {
  const { states, directions } = properties;
  const values = states.map((_, i) => context.optional(5 + i));
  const isZero = (value: Value | null): boolean =>
    value === null || (value.kind === 'constant' && value.values.every((number) => number === 0));
  if (values.every(isZero)) return [];
  const partsOfStates = values.map((value) => stateParts(context, properties, input, value));
  return Array.from({ length: directions }, (_, d) => partsOfStates.map((parts) => parts[d])).flat();
}

/** Returns an initial state [batch, units] for each direction. */
function stateParts(
  context: NodeContext,
  properties: NodeProperties,
  input: ModelTensor,
  value: Value | null,
): Reference[] {
  const { units, directions, batchFirst } = properties;
  const { writer } = context;
  if (value === null || value.kind !== 'tensor') return constantState(context, properties, input, value);
  const axes = batchFirst ? [1, 0, 2] : [0, 1, 2];
  const onnxAxes = axes.map((axis) => current(value.onnxAxes[axis] ?? []));
  context.requireBatch(onnxAxes[1], value, 'the batch axis of an initial state');
  const state: ModelTensor = { ...value, modelAxes: value.modelAxes.map(current), onnxAxes };
  if (directions === 1) return [writer.arrange(state, [current(state.modelAxes[0]), onnxAxes[2]]).ref];
  const { tensor, at } = isolate(context, state, 0);
  const allDirections = writer.arrange(tensor, [
    current(state.modelAxes[0]),
    tensor.modelAxes[at],
    onnxAxes[2],
  ]);
  return Array.from({ length: directions }, (_, d) =>
    units > 0
      ? writer.operation({ operation: 'take', axis: 1, indices: d }, [allDirections.ref])
      : allDirections.ref,
  );
}

/** Returns constant initial states, one for each direction. @param value null: zeros */
function constantState(
  context: NodeContext,
  { units, directions, batchFirst }: NodeProperties,
  input: ModelTensor,
  value: Value | null,
): Reference[] {
  const values =
    value && fullValues({ ...value, ...(value.kind === 'constant' && { shape: value.extents.map(size) }) });
  const batch = values ? values.length / (directions * units) : 0;
  if (value && (!values || !(batch >= 1) || !Number.isInteger(batch)))
    throw context.error('an initial state has an unknown or wrong size');
  return Array.from({ length: directions }, (_, d) => {
    const row = (b: number): FloatArray => {
      const begin = (batchFirst ? b * directions + d : d * batch + b) * units;
      return (values as FloatArray).slice(begin, begin + units);
    };
    const first = values ? row(0) : null;
    for (let b = 1; b < batch; b++)
      if (row(b).some((number, i) => number !== first?.[i]))
        throw context.error('an initial state has different constants for the sequences of a batch');
    const options = { operation: 'constant', operands: first ? [[units]] : [0], shape: [units] };
    const weights: Record<number, Matrix> = first ? { 1: { shape: [units], values: first } } : {};
    return context.writer.operation(options, [input.ref], weights, context.node.label);
  });
}

interface LayerOutputs {
  node: Reference;
  isMasked: boolean;
  returnSequences: boolean;
  returnState: boolean;
  reverse: boolean;
  input: ModelTensor;
  onnxAxes: readonly Axis[];
}

/** Returns Y, Y_h and Y_c. */
function outputs(
  context: NodeContext,
  properties: NodeProperties,
  layer: LayerOutputs,
): (Value | undefined)[] {
  const { states, units, directions, batchFirst } = properties;
  const { node, returnSequences, returnState, input, onnxAxes } = layer;
  const { writer } = context;
  const batch = current(input.modelAxes[0]);
  const feature = newAxis(size(units));
  const direction = newAxis(size(directions));
  const onnxBatchAxis = current(onnxAxes[batchFirst ? 0 : 1]);
  const float = { kind: 'tensor', type: 'float' } as const;

  const steps = current(input.modelAxes[1]);
  const Y = (): ModelTensor => {
    const ref = alignedSequence(context, layer);
    const axes = batchFirst
      ? [onnxBatchAxis, steps, direction, feature]
      : [steps, direction, onnxBatchAxis, feature];
    return { ...float, ref, modelAxes: [batch, steps, [...direction, ...feature]], onnxAxes: axes };
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
    const axes = batchFirst ? [onnxBatchAxis, direction, feature] : [direction, onnxBatchAxis, feature];
    return { ...float, ref, modelAxes: [batch, [...direction, ...feature]], onnxAxes: axes };
  };
  return [
    returnSequences ? Y() : undefined,
    ...states.map((_, i) => (context.isOutputRead(i + 1) ? state(i) : undefined)),
  ];
}

/** Returns the sequence of outputs in time order, without a mask. */
function alignedSequence(context: NodeContext, { node, reverse, isMasked }: LayerOutputs): Reference {
  const { writer } = context;
  if (reverse) return writer.operation({ operation: 'reverse', axis: 1 }, [node]);
  return isMasked ? writer.operation({ operation: 'identity' }, [node]) : node;
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
    becomes: 'SimpleRNN or GeneralRNN; inside Bidirectional if the node has two directions',
    attributes: [...COMMON, 'output_sequence'],
    convert: convert('RNN'),
  },
  LSTM: {
    becomes:
      'LSTM, PeepholeLSTM, CoupledLSTM or GeneralLSTM; inside Bidirectional if the node has two directions',
    attributes: [...COMMON, 'input_forget', 'output_sequence'],
    convert: convert('LSTM'),
  },
  GRU: {
    becomes: 'GRU or GeneralGRU; inside Bidirectional if the node has two directions',
    attributes: [...COMMON, 'linear_before_reset', 'output_sequence'],
    convert: convert('GRU'),
  },
};
