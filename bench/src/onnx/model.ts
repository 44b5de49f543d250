/**
 * A row as an ONNX model, written without Python: one RNN, LSTM or GRU node a layer, with constant weights,
 * so that a runtime may pack them once. GRU in the linear_before_reset form, which is Keras's and PyTorch's.
 * Numbers of fields are those of onnx.proto3.
 */
import { type RowData, transposed } from '../data.js';
import { GATES, type Row } from '../rows.js';
import { bytes, encode, type Field, integer, message, string } from './protobuf.js';

const FLOAT = 1;
const INT64 = 7;
const OPSET = 17;

const OPS = { rnn: 'RNN', lstm: 'LSTM', gru: 'GRU' } as const;
/** Our gate at each place of ONNX's order: i o f c for LSTM, z r h for GRU. */
const ORDER = { rnn: [0], lstm: [0, 3, 1, 2], gru: [0, 1, 2] } as const;

const attribute = {
  integer: (name: string, value: number): Field =>
    message(5, [string(1, name), integer(3, value), integer(20, 2)]),
  string: (name: string, value: string): Field =>
    message(5, [string(1, name), string(4, value), integer(20, 3)]),
  integers: (name: string, values: readonly number[]): Field =>
    message(5, [string(1, name), ...values.map((value) => integer(8, value)), integer(20, 7)]),
};

function node(op: string, inputs: string[], outputs: string[], attributes: Field[] = []): Field {
  const names = [...inputs.map((name) => string(1, name)), ...outputs.map((name) => string(2, name))];
  return message(1, [...names, string(3, outputs.join('_')), string(4, op), ...attributes]);
}

function constant(name: string, shape: readonly number[], data: Float32Array | BigInt64Array): Field {
  const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const type = data instanceof Float32Array ? FLOAT : INT64;
  return message(5, [
    ...shape.map((extent) => integer(1, extent)),
    integer(2, type),
    string(8, name),
    bytes(9, raw),
  ]);
}

/** A graph's input (field 11) or output (field 12). */
function value(field: 11 | 12, name: string, shape: readonly number[]): Field {
  const dims = shape.map((extent) => message(1, [integer(1, extent)]));
  return message(field, [string(1, name), message(2, [message(1, [integer(1, FLOAT), message(2, dims)])])]);
}

/** [rows, G·H] in our gates to [G·H, rows] in ONNX's. */
function gateRows(row: Row, values: Float32Array): Float32Array {
  const { kind, H } = row;
  const width = GATES[kind] * H;
  const rows = values.length / width;
  const turned = transposed(values, rows, width);
  const out = new Float32Array(values.length);
  ORDER[kind].forEach((gate, place) => {
    out.set(turned.subarray(gate * H * rows, (gate + 1) * H * rows), place * H * rows);
  });
  return out;
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const out = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** W [D, GH, I], R [D, GH, H] and B [D, 2GH] of one layer of D directions. */
function layerConstants(row: Row, data: RowData, layer: number, first: number): Field[] {
  const { kind, H } = row;
  const { input, bidirectional } = row.layers[layer]!;
  const GH = GATES[kind] * H;
  const directions = bidirectional ? 2 : 1;
  const part = (which: number): Float32Array[] =>
    Array.from({ length: directions }, (_, d) => data.weights[first + 3 * d + which]!.values);
  const biases = part(2).flatMap((b) => {
    const ofStates = kind === 'gru' ? b.subarray(GH) : new Float32Array(GH);
    return [gateRows(row, b.subarray(0, GH)), gateRows(row, ofStates)];
  });
  return [
    constant(`W${layer}`, [directions, GH, input], joined(part(0).map((W) => gateRows(row, W)))),
    constant(`R${layer}`, [directions, GH, H], joined(part(1).map((U) => gateRows(row, U)))),
    constant(`B${layer}`, [directions, 2 * GH], joined(biases)),
  ];
}

/**
 * The model's file. Input x [T, B, I]; output h [D, B, H] of the last layer's last step. With `states`, also
 * inputs h0 (and c0 for LSTM) and output c: what a caller needs to go on.
 */
export function onnxModel(row: Row, data: RowData, states: boolean): Uint8Array {
  const { kind, H, B, T, I, layers } = row;
  const nodes: Field[] = [];
  const constants: Field[] = [];
  let from = 'x';
  let weight = 0;
  layers.forEach(({ bidirectional, sequences }, layer) => {
    constants.push(...layerConstants(row, data, layer, weight));
    weight += bidirectional ? 6 : 3;
    const initial = states ? ['', 'h0', ...(kind === 'lstm' ? ['c0'] : [])] : [];
    const outputs = sequences ? [`y${layer}`] : ['', 'h', ...(states && kind === 'lstm' ? ['c'] : [])];
    nodes.push(
      node(OPS[kind], [from, `W${layer}`, `R${layer}`, `B${layer}`, ...initial], outputs, [
        attribute.integer('hidden_size', H),
        attribute.string('direction', bidirectional ? 'bidirectional' : 'forward'),
        ...(kind === 'gru' ? [attribute.integer('linear_before_reset', 1)] : []),
      ]),
    );
    if (!sequences) return;
    const width = (bidirectional ? 2 : 1) * H;
    nodes.push(
      node('Transpose', [`y${layer}`], [`turned${layer}`], [attribute.integers('perm', [0, 2, 1, 3])]),
    );
    constants.push(constant(`shape${layer}`, [3], BigInt64Array.of(BigInt(T), BigInt(B), BigInt(width))));
    nodes.push(node('Reshape', [`turned${layer}`, `shape${layer}`], [`x${layer + 1}`]));
    from = `x${layer + 1}`;
  });
  const directions = layers.at(-1)!.bidirectional ? 2 : 1;
  const state = [directions, B, H];
  const names = states ? ['h0', ...(kind === 'lstm' ? ['c0'] : [])] : [];
  const graph = [
    ...nodes,
    string(2, row.name),
    ...constants,
    value(11, 'x', [T, B, I]),
    ...names.map((name) => value(11, name, state)),
    value(12, 'h', state),
    ...(states && kind === 'lstm' ? [value(12, 'c', state)] : []),
  ];
  return encode([
    integer(1, 8),
    string(2, 'unroll-bench'),
    message(7, graph),
    message(8, [integer(2, OPSET)]),
  ]);
}
