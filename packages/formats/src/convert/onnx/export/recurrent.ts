/**
 * Writes recurrent layers as RNN, LSTM and GRU nodes, which take [steps, batch, features] (layout 0). In ONNX, sequences are
 * padded only at their end. A mask may have valid steps anywhere, so a matrix moves the valid steps to the front before the
 * node, and another matrix moves the outputs back. Directions and masks are in one file, because they share these layouts.
 */
import type { FloatArray, Shape } from '@unroll/core';
import type { Bidirectional, Cell, Recurrent, StackedCells } from '@unroll/nn';
import { strided, transposed } from '../arrays.js';
import { generalFunction, type RecurrentFunction, recurrentFunction } from './activations.js';
import type { LayerCall } from './call.js';
import type { Attribute, GraphTensor, OnnxGraph } from './graph.js';
import { INT32 } from './graph.js';

/** The class names of the cells that have a node, without `Cell` at the end. */
export const CELLS: readonly string[] = [
  'SimpleRNN',
  'LSTM',
  'GRU',
  'PeepholeLSTM',
  'CoupledLSTM',
  'GeneralRNN',
  'GeneralLSTM',
  'GeneralGRU',
];

/** One direction of a recurrent node. */
interface Direction {
  op: 'RNN' | 'LSTM' | 'GRU';
  units: number;
  /** Weights, [gates * units, inputs]. */
  W: FloatArray;
  /** Recurrence weights, [gates * units, units]. */
  R: FloatArray;
  /** Biases of the inputs and of the state, [2 * gates * units]. */
  B: FloatArray;
  /** Peephole weights, [3 * units]; null: none. */
  P: FloatArray | null;
  /** Number of input features. */
  inputs: number;
  functions: readonly RecurrentFunction[];
  attributes: Readonly<Record<string, Attribute>>;
}

/** For each gate in ONNX's order, its index in Unroll. */
const GATES = { RNN: [0], LSTM: [0, 3, 1, 2], GRU: [0, 1, 2] } as const;
/** ONNX's default activations. */
const DEFAULTS = { RNN: ['Tanh'], LSTM: ['Sigmoid', 'Tanh', 'Tanh'], GRU: ['Sigmoid', 'Tanh'] } as const;

/** A cell and the layer that contains it. */
interface CellSource {
  call: LayerCall;
  layer: Recurrent;
  cell: Pick<Cell, 'className' | 'config'>;
  /** Prefix of the names of the cell's parameters in the layer. */
  prefix: string;
}

function weightOf(
  { call, layer, prefix }: CellSource,
  name: string,
): { shape: Shape; values: FloatArray } | null {
  return call.weight(prefix + name, layer);
}

/** Converts a matrix [rows, gates * units] to [gates * units, rows], with the gates in this order and with these signs. */
function gateMatrix(
  { shape: [rows, width], values }: { shape: Shape; values: FloatArray },
  gates: readonly number[],
  units: number,
  signs: readonly number[] = [],
): FloatArray {
  const { values: transposedValues } = transposed({ extents: [rows, width], values }, [1, 0]);
  const out = new Float32Array(gates.length * units * rows);
  gates.forEach((from, to) => {
    const block = transposedValues.subarray(from * units * rows, (from + 1) * units * rows);
    out.set(
      block.map((value) => value * (signs[to] ?? 1)),
      to * units * rows,
    );
  });
  return out;
}

function functionsOf({ call, cell }: CellSource, op: Direction['op']): readonly RecurrentFunction[] {
  const { activation = 'tanh', recurrentActivation = 'sigmoid', functions } = cell.config;
  const cellFunctions = functions as readonly RecurrentFunction[] | undefined;
  const isGeneral = cell.className.startsWith('General');
  const names =
    op === 'RNN'
      ? [activation]
      : op === 'LSTM'
        ? [recurrentActivation, activation, activation]
        : [recurrentActivation, activation];
  const found: readonly (RecurrentFunction | null)[] = isGeneral
    ? (cellFunctions?.map(generalFunction) ?? DEFAULTS[op].map((name) => ({ name })))
    : names.map(recurrentFunction);
  const missing = found.indexOf(null);
  if (missing < 0) return found as RecurrentFunction[];
  throw call.error(
    `recurrent nodes do not have the activation ${String(isGeneral ? cellFunctions?.[missing].name : names[missing])}`,
  );
}

/** Returns one direction of a node for a cell. @throws UnrollError `value` for cells that ONNX does not have */
function directionOf(source: CellSource): Direction {
  const { call, cell } = source;
  const kind = cell.className.replace(/Cell$/, '');
  const op = /LSTM$/.test(kind) ? 'LSTM' : /GRU$/.test(kind) ? 'GRU' : 'RNN';
  if (!CELLS.includes(kind)) throw call.error(`ONNX has no node for the cell ${cell.className}`);
  const units = Number(cell.config.units);
  const kernel = weightOf(source, 'kernel');
  const recurrent = weightOf(source, 'recurrent_kernel');
  if (!kernel || !recurrent) throw call.error('it has no weights yet');
  const { gates, signs, attributes } = gateRules(source, kind, op);
  const expand = expandCoupled(kind, units);
  const W = gateMatrix(expand(kernel), gates, units, signs);
  const R = gateMatrix(expand(recurrent), gates, units, signs);
  const { clip } = cell.config as { clip?: number };
  return {
    ...{ op, units, W, R, inputs: kernel.shape[0] },
    B: biasOf(source, { gates, signs, units, resetAfter: attributes.linear_before_reset === 1, expand }),
    P: peepholesOf(source, units),
    functions: functionsOf(source, op),
    attributes: { ...attributes, ...(clip && { clip: { float: clip } }) },
  };
}

type Matrix = { shape: Shape; values: FloatArray };

/**
 * Returns a function that expands matrices of a coupled cell to four gates. A coupled cell has the gates f g o and i = 1 - f.
 * ONNX has i and f = 1 - i: the block of f becomes the block of i, whose sign `gateRules` changes. ONNX does not read the
 * block of f.
 */
function expandCoupled(kind: string, units: number): (matrix: Matrix) => Matrix {
  if (kind !== 'CoupledLSTM') return (matrix) => matrix;
  return ({ shape, values }) => {
    const rows = values.length / (3 * units);
    const out = new Float32Array(rows * 4 * units);
    for (let row = 0; row < rows; row++)
      [0, 2, 3].forEach((to, from) => {
        const begin = (row * 3 + from) * units;
        out.set(values.subarray(begin, begin + units), (row * 4 + to) * units);
      });
    return { shape: [...shape.slice(0, -1), 4 * units], values: out };
  };
}

/** Returns the order and the signs of the gates, and the attributes of the node. */
function gateRules(
  { call, cell }: CellSource,
  kind: string,
  op: Direction['op'],
): { gates: readonly number[]; signs: readonly number[]; attributes: Record<string, Attribute> } {
  const { resetAfter = true, updateGate = 'keep', recurrentActivation = 'sigmoid', coupled } = cell.config;
  const isSymmetric = recurrentActivation === 'sigmoid' || recurrentActivation === 'hardSigmoid';
  const gates = GATES[op];
  if (op === 'GRU') {
    const isFlipped = updateGate === 'candidate';
    if (isFlipped && !isSymmetric)
      throw call.error('with updateGate "candidate", recurrentActivation must be sigmoid or hardSigmoid');
    return {
      gates,
      signs: isFlipped ? [-1, 1, 1] : [],
      attributes: { linear_before_reset: resetAfter ? 1 : 0 },
    };
  }
  if (kind === 'CoupledLSTM') {
    if (!isSymmetric)
      throw call.error('with coupled gates, recurrentActivation must be sigmoid or hardSigmoid');
    return { gates, signs: [-1, 1, 1, 1], attributes: { input_forget: 1 } };
  }
  return { gates, signs: [], attributes: coupled ? { input_forget: 1 } : {} };
}

interface BiasRules {
  gates: readonly number[];
  signs: readonly number[];
  units: number;
  resetAfter: boolean;
  expand: (matrix: Matrix) => Matrix;
}

/** Returns the biases of the inputs and of the state, [2 * gates * units]. */
function biasOf(source: CellSource, { gates, signs, units, resetAfter, expand }: BiasRules): FloatArray {
  const width = gates.length * units;
  const out = new Float32Array(2 * width);
  const weight = weightOf(source, 'bias');
  if (!weight) return out;
  const bias = expand(weight);
  const rows = bias.values.length / width;
  const sorted = (values: FloatArray): FloatArray =>
    gateMatrix({ shape: [1, width], values }, gates, units, signs);
  for (let row = 0; row < rows; row++)
    out.set(sorted(bias.values.subarray(row * width, (row + 1) * width)), row * width);
  const candidate = weightOf(source, 'candidate_bias');
  if (candidate && resetAfter) out.set(candidate.values, width + 2 * units);
  return out;
}

/** Returns the peephole weights in ONNX's order i o f; null if the cell has none. */
function peepholesOf(source: CellSource, units: number): FloatArray | null {
  const weight = weightOf(source, 'peephole');
  if (!weight) return null;
  const row = (index: number): FloatArray => strided(weight.values, [units], [1], index * units);
  return Float32Array.from([...row(0), ...row(2), ...row(1)]);
}

/** Tensors that move the valid steps of sequences to the front, and back. */
interface Packing {
  /** [batch, steps, steps]: moves valid steps to the front. */
  pack: string;
  /** Moves outputs back; masked steps get the output of the previous valid step, or 0 if there is none. */
  hold: string;
  /** Moves outputs back; masked steps get 0. */
  zero: string;
  /** Lengths of the sequences, int32 [batch]. */
  lengths: string;
}

function packingOf(graph: OnnxGraph, mask: string): Packing {
  const count = graph.node('CumSum', [mask, graph.node('Squeeze', [graph.integers([1])])]);
  const index = graph.node('Sub', [count, graph.number(1)]);
  const steps = graph.node('Gather', [
    graph.node('Shape', [mask]),
    graph.node('Squeeze', [graph.integers([1])]),
  ]);
  const [zero, one] = [0, 1].map((value) => graph.node('Squeeze', [graph.integers([value])]));
  const range = graph.node('Cast', [graph.node('Range', [zero, steps, one])], { to: 1 });
  const rows = graph.node('Unsqueeze', [range, graph.integers([0, 2])]);
  const columns = graph.node('Unsqueeze', [index, graph.integers([1])]);
  const equal = graph.node('Cast', [graph.node('Equal', [rows, columns])], { to: 1 });
  const pack = graph.node('Mul', [equal, graph.node('Unsqueeze', [mask, graph.integers([1])])]);
  const total = graph.node('ReduceSum', [mask, graph.integers([1])], { keepdims: 0 });
  return {
    pack,
    hold: graph.transpose(equal, [0, 2, 1]),
    zero: graph.transpose(pack, [0, 2, 1]),
    lengths: graph.node('Cast', [total], { to: INT32 }),
  };
}

interface NodeInputs {
  directions: readonly Direction[];
  direction: 'forward' | 'reverse' | 'bidirectional';
  /** [batch, steps, features] */
  x: string;
  lengths: string;
  /** The initial states of each direction, [batch, units] each; empty: zeros. */
  initial: readonly string[];
  /** Prefix of the names of the weights. */
  key: string;
}

/** Adds a recurrent node. Returns Y as [batch, steps, directions * units], and the final states of each direction. */
function addNode(
  graph: OnnxGraph,
  { directions, direction, x, lengths, initial, key }: NodeInputs,
): { y: string; states: string[] } {
  const [{ op, units, inputs, attributes, functions }] = directions;
  const gates = GATES[op].length;
  const D = directions.length;
  const joined = (pick: (direction: Direction) => FloatArray): FloatArray =>
    Float32Array.from(directions.flatMap((item) => [...pick(item)]));
  const W = graph.floats(
    `${key}.W`,
    joined((item) => item.W),
    [D, gates * units, inputs],
  );
  const R = graph.floats(
    `${key}.R`,
    joined((item) => item.R),
    [D, gates * units, units],
  );
  const B = graph.floats(
    `${key}.B`,
    joined((item) => item.B),
    [D, 2 * gates * units],
  );
  const names = op === 'LSTM' ? ['h', 'c'] : ['h'];
  const stacked = names.map((_, i) =>
    stackStates(
      graph,
      initial.filter((__, n) => n % names.length === i),
    ),
  );
  const peepholes = directions.some(({ P }) => P !== null)
    ? graph.floats(
        `${key}.P`,
        joined((item) => item.P ?? new Float32Array(3 * units)),
        [D, 3 * units],
      )
    : '';
  const activations = directions.flatMap((item) => item.functions);
  const isDefault = activations.every(({ name }, i) => name === DEFAULTS[op][i % functions.length]);
  const parameters = (which: 'alpha' | 'beta'): number[] =>
    activations.flatMap((item) => (item[which] === undefined ? [] : [item[which]]));
  const [alphas, betas] = [parameters('alpha'), parameters('beta')];
  const [Y, ...finals] = graph.nodes(
    op,
    [graph.transpose(x, [1, 0, 2]), W, R, B, lengths, ...stacked, ...(op === 'LSTM' ? [peepholes] : [])],
    1 + names.length,
    {
      ...{ hidden_size: units, direction },
      ...attributes,
      ...(!isDefault && { activations: activations.map(({ name }) => name) }),
      ...(alphas.length > 0 && { activation_alpha: { floats: alphas } }),
      ...(betas.length > 0 && { activation_beta: { floats: betas } }),
    },
  );
  const y =
    D === 1
      ? graph.transpose(graph.node('Squeeze', [Y, graph.integers([1])]), [1, 0, 2])
      : graph.node('Reshape', [graph.transpose(Y, [2, 0, 1, 3]), graph.integers([0, 0, -1])]);
  return { y, states: statesOf(graph, finals, D) };
}

/** Returns states [batch, units] as one tensor [directions, batch, units]; '' if there are none. */
function stackStates(graph: OnnxGraph, states: readonly string[]): string {
  if (states.length === 0) return '';
  const rows = states.map((state) => graph.node('Unsqueeze', [state, graph.integers([0])]));
  return rows.length === 1 ? rows[0] : graph.node('Concat', rows, { axis: 0 });
}

/** Returns the final states [batch, units]: h and c of the forward direction, then h and c of the backward direction. */
function statesOf(graph: OnnxGraph, finals: readonly string[], directions: number): string[] {
  if (directions === 1) return finals.map((state) => graph.node('Squeeze', [state, graph.integers([0])]));
  return Array.from({ length: directions }, (_, d) =>
    finals.map((state) =>
      graph.node('Gather', [state, graph.node('Squeeze', [graph.integers([d])])], { axis: 0 }),
    ),
  ).flat();
}

/** Reverses axis 1. */
export const reversed = (graph: OnnxGraph, x: string): string =>
  graph.node('Slice', [
    x,
    graph.integers([-1]),
    graph.integers([-(2 ** 31)]),
    graph.integers([1]),
    graph.integers([-1]),
  ]);

/** A recurrent layer with its inputs. */
interface LayerRun {
  layer: Recurrent;
  call: LayerCall;
  x: string;
  mask: string | null;
  initial: readonly string[];
  /** Prefix of the names of the weights. */
  key: string;
}

interface LayerResult {
  /** The outputs of all steps, [batch, steps, units]. */
  y: string;
  /** The last output, [batch, units]. */
  last: string;
  states: string[];
  /** The concatenated outputs of both directions, if one node computes both. */
  concatenated?: string;
}

/** Adds the nodes of all cells of a layer. The outputs of a layer that returns sequences are in processing order. */
function runLayer({ layer, call, x, mask, initial, key }: LayerRun): LayerResult {
  const { graph } = call;
  const { goBackwards } = layer;
  const { zeroOutputForMask = false } = layer.options;
  const cells = (layer.cell as Partial<StackedCells>).cells ?? [layer.cell];
  const orderedMask = mask && goBackwards ? reversed(graph, mask) : mask;
  const packing = orderedMask ? packingOf(graph, orderedMask) : null;
  // A node of the direction reverse returns its outputs in time order; masks and stacked cells need processing order.
  const reversesInput = goBackwards && (packing !== null || cells.length > 1);
  let input = reversesInput ? reversed(graph, x) : x;
  if (packing) input = graph.node('MatMul', [packing.pack, input]);
  const direction = goBackwards && !reversesInput ? 'reverse' : 'forward';
  let at = 0;
  const states: string[] = [];
  cells.forEach((cell, n) => {
    const prefix = layer.cell.cells ? `cell_${n}/` : '';
    const count = Object.keys(cell.stateSizes).length;
    const result = addNode(graph, {
      directions: [directionOf({ call, layer, cell, prefix })],
      ...{ direction, x: input, lengths: packing?.lengths ?? '' },
      initial: initial.slice(at, at + count),
      key: cells.length > 1 ? `${key}.${n}` : key,
    });
    at += count;
    input = result.y;
    states.push(...result.states);
  });
  const lastStateCount = Object.keys(cells[cells.length - 1].stateSizes).length;
  const final = states[states.length - lastStateCount];
  const y = packing ? graph.node('MatMul', [zeroOutputForMask ? packing.zero : packing.hold, input]) : input;
  return {
    y: direction === 'reverse' && layer.returnSequences ? reversed(graph, y) : y,
    last: orderedMask && zeroOutputForMask ? lastIfValid(graph, orderedMask, final) : final,
    states,
  };
}

/** Returns the last output, or 0 if the last step is masked. */
function lastIfValid(graph: OnnxGraph, mask: string, last: string): string {
  const valid = graph.node('Gather', [mask, graph.integers([-1])], { axis: 1 });
  return graph.node('Mul', [last, valid]);
}

/** Returns the initial states: inputs of the layer, or else new inputs of the graph for streaming and for stateful layers. */
function initialStates(call: LayerCall, layer: Recurrent): { initial: string[]; streamed: string[] } {
  const [, ...stateInputs] = call.inputs;
  const isStreamed = call.settings.streaming || layer.stateful;
  if (stateInputs.length > 0 || !isStreamed)
    return { initial: stateInputs.map(({ name }) => name), streamed: [] };
  const streamed = Object.entries(layer.cell.stateSizes).map(([name, size]) => call.stateInput(name, [size]));
  return { initial: streamed, streamed };
}

export function exportRecurrent(call: LayerCall): GraphTensor[] {
  const layer = call.layer as Recurrent;
  if (layer.constants.length > 0) throw call.error('ONNX has no node for a cell with constants');
  const [x] = call.inputs;
  const { initial, streamed } = initialStates(call, layer);
  const run = { layer, call, x: x.name, mask: x.mask, initial, key: call.path };
  const { y, last, states } = runLayer(run);
  const sizes = Object.values(layer.cell.stateSizes);
  streamed.forEach((input, i) => {
    call.stateOutput(input, states[i], [sizes[i]]);
  });
  const mask =
    layer.returnSequences && x.mask ? (layer.goBackwards ? reversed(call.graph, x.mask) : x.mask) : null;
  const names = [layer.returnSequences ? y : last, ...(layer.returnState ? states : [])];
  return call.shapes.map((shape, i) => ({ name: names[i], shape, mask: i === 0 ? mask : null }));
}

export function exportBidirectional(call: LayerCall): GraphTensor[] {
  const { forwardLayer, backwardLayer, mergeMode } = call.layer as Bidirectional;
  const layers = [forwardLayer, backwardLayer];
  if (forwardLayer.stateful) throw call.error('a stateful bidirectional layer is not supported');
  const results = bothDirections(call, layers) ?? layers.map((layer, i) => oneDirection(call, layer, i));
  const { returnSequences, returnState } = forwardLayer;
  const [forward, backward] = results.map(({ y, last }) => (returnSequences ? y : last));
  const concatenated = returnSequences && mergeMode === 'concat' ? results[0].concatenated : undefined;
  const merged = concatenated ? [concatenated] : merge(call, mergeMode, forward, backward);
  const names = [...merged, ...(returnState ? results.flatMap(({ states }) => states) : [])];
  const mask = returnSequences ? call.inputs[0].mask : null;
  return call.shapes.map((shape, i) => ({ name: names[i], shape, mask: i < merged.length ? mask : null }));
}

/**
 * Adds one node for both directions. Returns null if two nodes are necessary, because the directions have stacked cells, or
 * differ in their operator, units or attributes.
 */
function bothDirections(call: LayerCall, layers: readonly Recurrent[]): LayerResult[] | null {
  const { graph } = call;
  const [x] = call.inputs;
  if (layers.some(({ cell }) => cell.cells)) return null;
  const directions = layers.map((layer) => directionOf({ call, layer, cell: layer.cell, prefix: '' }));
  const [a, b] = directions;
  if (a.op !== b.op || a.units !== b.units || JSON.stringify(a.attributes) !== JSON.stringify(b.attributes))
    return null;
  const packing = x.mask ? packingOf(graph, x.mask) : null;
  const { y, states } = addNode(graph, {
    ...{ directions, direction: 'bidirectional', key: call.path },
    x: packing ? graph.node('MatMul', [packing.pack, x.name]) : x.name,
    lengths: packing?.lengths ?? '',
    initial: call.inputs.slice(1).map(({ name }) => name),
  });
  const aligned = packing ? graph.node('MatMul', [packing.zero, y]) : y;
  const half = (d: number): string =>
    graph.node('Slice', [
      aligned,
      ...[[d * a.units], [(d + 1) * a.units], [2]].map((values) => graph.integers(values)),
    ]);
  const count = states.length / 2;
  const isSequence = layers[0].returnSequences;
  const needsHalves = (call.layer as Bidirectional).mergeMode !== 'concat';
  return [0, 1].map((d) => {
    const directionStates = states.slice(d * count, (d + 1) * count);
    return {
      y: isSequence && needsHalves ? half(d) : '',
      last: directionStates[0],
      states: directionStates,
      concatenated: aligned,
    };
  });
}

/** Adds the nodes of one direction. Its outputs are in time order. */
function oneDirection(call: LayerCall, layer: Recurrent, index: number): LayerResult {
  const [x, ...stateInputs] = call.inputs;
  const count = stateInputs.length / 2;
  const initial = stateInputs.slice(index * count, (index + 1) * count).map(({ name }) => name);
  const key = `${call.path}.${layer.name}`;
  const result = runLayer({ layer, call, x: x.name, mask: x.mask, initial, key });
  return { ...result, y: layer.goBackwards ? reversed(call.graph, result.y) : result.y };
}

function merge(call: LayerCall, mode: string, forward: string, backward: string): string[] {
  const { graph } = call;
  if (mode === 'none') return [forward, backward];
  if (mode === 'concat') return [graph.node('Concat', [forward, backward], { axis: -1 })];
  if (mode === 'mul') return [graph.node('Mul', [forward, backward])];
  const sum = graph.node('Add', [forward, backward]);
  return [mode === 'ave' ? graph.node('Mul', [sum, graph.number(0.5)]) : sum];
}
