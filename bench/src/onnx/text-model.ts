/**
 * Writes the text models of the benchmark (a classifier and a translator) as ONNX files. Inputs are token ids [T, B]. Outputs
 * are logits: [B, classes] of a classifier, [T, B, classes] of a translator.
 */
import type { NamedTensor, RowData } from '../data.js';
import type { Row, TextModel } from '../rows.js';
import { cellConstants, cellNode, constant, INT32, modelFile, node, value } from './model.js';
import type { Field } from './protobuf.js';

/** Encodes a weight whose layout is the same in ONNX. */
const weightConstant = (name: string, { shape, values }: NamedTensor): Field => constant(name, shape, values);

function classifier(row: Row, { classes }: TextModel, { weights }: RowData): Uint8Array {
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
    ...[
      weightConstant('table', table),
      weightConstant('hiddenW', hiddenW),
      weightConstant('hiddenB', hiddenB),
    ],
    ...[weightConstant('outW', outW), weightConstant('outB', outB)],
    value(11, 'text', [T, B], INT32),
    value(12, 'logits', [B, classes]),
  ]);
}

function translator(row: Row, { classes }: TextModel, { weights }: RowData): Uint8Array {
  const { B, T } = row;
  const [source, target, outW, outB] = [0, 4, 8, 9].map((i) => weights[i]) as [
    NamedTensor,
    NamedTensor,
    NamedTensor,
    NamedTensor,
  ];
  const states = row.kind === 'lstm' ? ['h', 'c'] : ['h'];
  return modelFile(row.name, [
    node('Gather', ['sourceTable', 'source'], ['sourceEmbedded']),
    cellNode(row, 'Encoder', 'sourceEmbedded', ['', ...states]),
    node('Gather', ['targetTable', 'target'], ['targetEmbedded']),
    cellNode(row, 'Decoder', 'targetEmbedded', ['decoded'], { initial: states }),
    node('Squeeze', ['decoded', 'axis1'], ['steps']),
    node('MatMul', ['steps', 'outW'], ['product']),
    node('Add', ['product', 'outB'], ['logits']),
    constant('axis1', [1], BigInt64Array.of(1n)),
    ...cellConstants(row, 'Encoder', weights.slice(1, 4)),
    ...cellConstants(row, 'Decoder', weights.slice(5, 8)),
    ...[
      weightConstant('sourceTable', source),
      weightConstant('targetTable', target),
      weightConstant('outW', outW),
      weightConstant('outB', outB),
    ],
    value(11, 'source', [T, B], INT32),
    value(11, 'target', [T, B], INT32),
    value(12, 'logits', [T, B, classes]),
  ]);
}

/** Writes the model file of a row with a text model. */
export function onnxTextModel(row: Row, textModel: TextModel, data: RowData): Uint8Array {
  return textModel.model === 'classifier'
    ? classifier(row, textModel, data)
    : translator(row, textModel, data);
}
