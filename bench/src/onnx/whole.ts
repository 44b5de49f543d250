/**
 * Writes the whole models as ONNX. Inputs are token ids [T, B]; outputs are logits, [B, classes] for a classifier and
 * [T, B, classes] for a translator.
 */
import type { NamedTensor, RowData } from '../data.js';
import type { Row, Whole } from '../rows.js';
import { cellConstants, cellNode, constant, INT32, modelFile, node, value } from './model.js';
import type { Field } from './protobuf.js';

/** A weight that keeps its layout. */
const plain = (name: string, { shape, values }: NamedTensor): Field => constant(name, shape, values);

function classifier(row: Row, { classes }: Whole, { weights }: RowData): Uint8Array {
  const { B, T } = row;
  const [table, ...rest] = weights as [NamedTensor, ...NamedTensor[]];
  const [hiddenW, hiddenB, outW, outB] = rest.slice(3) as [
    NamedTensor,
    NamedTensor,
    NamedTensor,
    NamedTensor,
  ];
  return modelFile(row.name, [
    node('Gather', ['table', 'text'], ['x']),
    cellNode(row, '', 'x', ['', 'state']),
    node('Squeeze', ['state', 'axis0'], ['h']),
    node('Gemm', ['h', 'hiddenW', 'hiddenB'], ['dense']),
    node('Relu', ['dense'], ['hidden']),
    node('Gemm', ['hidden', 'outW', 'outB'], ['logits']),
    constant('axis0', [1], BigInt64Array.of(0n)),
    ...cellConstants(row, '', rest.slice(0, 3)),
    ...[plain('table', table), plain('hiddenW', hiddenW), plain('hiddenB', hiddenB)],
    ...[plain('outW', outW), plain('outB', outB)],
    value(11, 'text', [T, B], INT32),
    value(12, 'logits', [B, classes]),
  ]);
}

function translator(row: Row, { classes }: Whole, { weights }: RowData): Uint8Array {
  const { B, T } = row;
  const [source, target, outW, outB] = [0, 4, 8, 9].map((i) => weights[i]) as [
    NamedTensor,
    NamedTensor,
    NamedTensor,
    NamedTensor,
  ];
  const states = row.kind === 'lstm' ? ['h', 'c'] : ['h'];
  return modelFile(row.name, [
    node('Gather', ['sourceTable', 'source'], ['read']),
    cellNode(row, 'Encoder', 'read', ['', ...states]),
    node('Gather', ['targetTable', 'target'], ['written']),
    cellNode(row, 'Decoder', 'written', ['decoded'], { initial: states }),
    node('Squeeze', ['decoded', 'axis1'], ['steps']),
    node('MatMul', ['steps', 'outW'], ['product']),
    node('Add', ['product', 'outB'], ['logits']),
    constant('axis1', [1], BigInt64Array.of(1n)),
    ...cellConstants(row, 'Encoder', weights.slice(1, 4)),
    ...cellConstants(row, 'Decoder', weights.slice(5, 8)),
    ...[plain('sourceTable', source), plain('targetTable', target), plain('outW', outW), plain('outB', outB)],
    value(11, 'source', [T, B], INT32),
    value(11, 'target', [T, B], INT32),
    value(12, 'logits', [T, B, classes]),
  ]);
}

export function wholeModel(row: Row, whole: Whole, data: RowData): Uint8Array {
  return whole.model === 'classifier' ? classifier(row, whole, data) : translator(row, whole, data);
}
