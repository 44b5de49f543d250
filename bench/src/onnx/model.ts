/**
 * Writes the model of a row of the benchmark as an ONNX file. Each layer is one RNN, LSTM or GRU node. Weights are constants,
 * so a runtime can pack them once. GRU nodes set linear_before_reset: the reset gate is applied after the matrix product, as in
 * Keras and PyTorch. The field numbers come from onnx.proto3.
 */
import { type NamedTensor, type RowData, transpose } from '../data.js';
import { GATES, type Row } from '../rows.js';
import { bytes, encode, type Field, integer, message, string } from './protobuf.js';

export const FLOAT = 1;
export const INT32 = 6;
const INT64 = 7;
const OPSET = 17;

const OPS = { rnn: 'RNN', lstm: 'LSTM', gru: 'GRU' } as const;
/** For each gate in ONNX's order (LSTM: i o f c, GRU: z r h): its index in Unroll's order. */
const GATE_ORDER = { rnn: [0], lstm: [0, 3, 1, 2], gru: [0, 1, 2] } as const;

/** Encode attributes of a node (field 5). */
export const attribute = {
  integer: (name: string, value: number): Field =>
    message(5, [string(1, name), integer(3, value), integer(20, 2)]),
  string: (name: string, value: string): Field =>
    message(5, [string(1, name), string(4, value), integer(20, 3)]),
  integers: (name: string, values: readonly number[]): Field =>
    message(5, [string(1, name), ...values.map((value) => integer(8, value)), integer(20, 7)]),
};

/** Encodes a node (field 1 of a graph). */
export function node(op: string, inputs: string[], outputs: string[], attributes: Field[] = []): Field {
  const names = [...inputs.map((name) => string(1, name)), ...outputs.map((name) => string(2, name))];
  return message(1, [...names, string(3, outputs.join('_')), string(4, op), ...attributes]);
}

/** Encodes an initializer (field 5 of a graph): a constant tensor. */
export function constant(name: string, shape: readonly number[], data: Float32Array | BigInt64Array): Field {
  const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const type = data instanceof Float32Array ? FLOAT : INT64;
  return message(5, [
    ...shape.map((extent) => integer(1, extent)),
    integer(2, type),
    string(8, name),
    bytes(9, raw),
  ]);
}

/** Encodes an input (field 11) or output (field 12) of a graph. */
export function value(field: 11 | 12, name: string, shape: readonly number[], type = FLOAT): Field {
  const dims = shape.map((extent) => message(1, [integer(1, extent)]));
  const tensor = message(1, [integer(1, type), message(2, dims)]);
  return message(field, [string(1, name), message(2, [tensor])]);
}

/** Encodes a graph as a model file. */
export function modelFile(name: string, graph: readonly Field[]): Uint8Array {
  const opset = message(8, [integer(2, OPSET)]);
  const fields = [integer(1, 8), string(2, 'unroll-bench'), message(7, [string(2, name), ...graph]), opset];
  return encode(fields);
}

/** Transposes [rows, G·H] in Unroll's gate order to [G·H, rows] in ONNX's gate order. */
function toOnnxLayout(row: Row, values: Float32Array): Float32Array {
  const { kind, H } = row;
  const width = GATES[kind] * H;
  const rows = values.length / width;
  const transposedValues = transpose(values, rows, width);
  const out = new Float32Array(values.length);
  GATE_ORDER[kind].forEach((gate, onnxGate) => {
    out.set(transposedValues.subarray(gate * H * rows, (gate + 1) * H * rows), onnxGate * H * rows);
  });
  return out;
}

function concatenate(parts: readonly Float32Array[]): Float32Array {
  const out = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}

/**
 * Encodes the weights of a layer as the constants `W<name>` [D, GH, I], `R<name>` [D, GH, H] and `B<name>` [D, 2GH]. D is the
 * number of directions, and GH the number of gates times the number of hidden units.
 * @param weights W, U and b of each direction
 */
export function cellConstants(row: Row, name: string, weights: readonly NamedTensor[]): Field[] {
  const { kind, H } = row;
  const GH = GATES[kind] * H;
  const directions = weights.length / 3;
  const ofAllDirections = (index: number): NamedTensor[] => weights.filter((_, i) => i % 3 === index);
  const biases = ofAllDirections(2).flatMap(({ values }) => {
    const recurrentBias = kind === 'gru' ? values.subarray(GH) : new Float32Array(GH);
    return [toOnnxLayout(row, values.subarray(0, GH)), toOnnxLayout(row, recurrentBias)];
  });
  const kernels = (index: number): Float32Array =>
    concatenate(ofAllDirections(index).map(({ values }) => toOnnxLayout(row, values)));
  return [
    constant(`W${name}`, [directions, GH, weights[0].shape[0]], kernels(0)),
    constant(`R${name}`, [directions, GH, H], kernels(1)),
    constant(`B${name}`, [directions, 2 * GH], concatenate(biases)),
  ];
}

/**
 * Encodes the node of a layer, which uses the constants of `cellConstants`.
 * @param from name of the input of the node
 * @param initial names of the initial states; default: zeros
 */
export function cellNode(
  { kind, H }: Row,
  name: string,
  from: string,
  outputs: string[],
  { initial = [] as string[], bidirectional = false } = {},
): Field {
  const inputs = [from, `W${name}`, `R${name}`, `B${name}`, ...(initial.length > 0 ? ['', ...initial] : [])];
  return node(OPS[kind], inputs, outputs, [
    attribute.integer('hidden_size', H),
    attribute.string('direction', bidirectional ? 'bidirectional' : 'forward'),
    ...(kind === 'gru' ? [attribute.integer('linear_before_reset', 1)] : []),
  ]);
}

/**
 * Writes the model file of a row. The input is x [T, B, I]; the output is h [D, B, H] of the last step of the last layer,
 * where D is the number of directions. With `states`, the model also takes the initial state h0 (LSTM: and c0), and an LSTM
 * also returns c.
 */
export function onnxModel(row: Row, data: RowData, states: boolean): Uint8Array {
  const { kind, H, B, T, I, layers } = row;
  const nodes: Field[] = [];
  const constants: Field[] = [];
  const names = kind === 'lstm' ? ['h', 'c'] : ['h'];
  const initial = states ? names.map((name) => `${name}0`) : [];
  let from = 'x';
  let weight = 0;
  layers.forEach(({ bidirectional, sequences }, layer) => {
    const name = String(layer);
    const count = bidirectional ? 6 : 3;
    constants.push(...cellConstants(row, name, data.weights.slice(weight, (weight += count))));
    const outputs = sequences ? [`y${name}`] : ['', 'h', ...(states ? names.slice(1) : [])];
    nodes.push(cellNode(row, name, from, outputs, { initial, bidirectional }));
    if (!sequences) return;
    const width = (bidirectional ? 2 : 1) * H;
    nodes.push(node('Transpose', [`y${name}`], [`t${name}`], [attribute.integers('perm', [0, 2, 1, 3])]));
    constants.push(constant(`shape${name}`, [3], BigInt64Array.of(BigInt(T), BigInt(B), BigInt(width))));
    nodes.push(node('Reshape', [`t${name}`, `shape${name}`], [`x${layer + 1}`]));
    from = `x${layer + 1}`;
  });
  const directions = layers[layers.length - 1].bidirectional ? 2 : 1;
  const state = [directions, B, H];
  return modelFile(row.name, [
    ...nodes,
    ...constants,
    value(11, 'x', [T, B, I]),
    ...initial.map((name) => value(11, name, state)),
    ...(states ? names : ['h']).map((name) => value(12, name, state)),
  ]);
}
