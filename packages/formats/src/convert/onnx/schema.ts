/**
 * The messages of an ONNX file (onnx.proto3 of the ONNX project) that Unroll reads and writes, as tables by field number.
 * Fields that are not listed are skipped.
 */

/** A part of a file. Payloads of tensors are not read with the messages that contain them, and are stored as ranges. */
export interface ByteRange {
  begin: number;
  end: number;
}

/** The type of a field. The payload of a tensor has the type `data`, and is read as a range of bytes. */
export type FieldType = 'int' | 'float' | 'string' | 'bytes' | 'data' | MessageType | (() => MessageType);

export interface Field {
  readonly name: string;
  readonly type: FieldType;
  readonly repeated?: true;
  /** The value if the file does not have the field. Default: '' for a string, 0 for a number, otherwise undefined. */
  readonly initial?: unknown;
}

export type MessageType = Readonly<Record<number, Field>>;

const one = (name: string, type: FieldType): Field => ({ name, type });
const many = (name: string, type: FieldType): Field => ({ name, type, repeated: true });

const ENTRY: MessageType = { 1: one('key', 'string'), 2: one('value', 'string') };

const TENSOR: MessageType = {
  1: many('dims', 'int'),
  2: one('dataType', 'int'),
  4: many('floatData', 'data'),
  5: many('int32Data', 'data'),
  7: many('int64Data', 'data'),
  8: one('name', 'string'),
  9: many('rawData', 'data'),
  10: many('doubleData', 'data'),
  11: many('uint64Data', 'data'),
  13: many('externalData', ENTRY),
  14: one('dataLocation', 'int'),
};

const DIMENSION: MessageType = { 1: { name: 'value', type: 'int', initial: -1 }, 2: one('param', 'string') };
const SHAPE: MessageType = { 1: many('dim', DIMENSION) };
const TENSOR_TYPE: MessageType = { 1: one('elemType', 'int'), 2: one('shape', SHAPE) };
const TYPE: MessageType = { 1: one('tensorType', TENSOR_TYPE) };
const VALUE_INFO: MessageType = { 1: one('name', 'string'), 2: one('type', TYPE) };

const ATTRIBUTE: MessageType = {
  1: one('name', 'string'),
  2: one('f', 'float'),
  3: one('i', 'int'),
  4: one('s', 'bytes'),
  5: one('t', TENSOR),
  6: one('g', () => GRAPH),
  7: many('floats', 'float'),
  8: many('ints', 'int'),
  9: many('strings', 'bytes'),
  20: one('type', 'int'),
  21: one('refAttrName', 'string'),
};

const NODE: MessageType = {
  1: many('input', 'string'),
  2: many('output', 'string'),
  3: one('name', 'string'),
  4: one('opType', 'string'),
  5: many('attribute', ATTRIBUTE),
  7: one('domain', 'string'),
};

const GRAPH: MessageType = {
  1: many('node', NODE),
  2: one('name', 'string'),
  5: many('initializer', TENSOR),
  11: many('input', VALUE_INFO),
  12: many('output', VALUE_INFO),
  13: many('valueInfo', VALUE_INFO),
  15: many('sparseInitializer', {}),
};

const OPSET: MessageType = { 1: one('domain', 'string'), 2: one('version', 'int') };

const FUNCTION: MessageType = {
  1: one('name', 'string'),
  4: many('input', 'string'),
  5: many('output', 'string'),
  6: many('attribute', 'string'),
  7: many('node', NODE),
  9: many('opsetImport', OPSET),
  10: one('domain', 'string'),
  11: many('attributeProto', ATTRIBUTE),
};

export const MODEL: MessageType = {
  1: one('irVersion', 'int'),
  2: one('producerName', 'string'),
  3: one('producerVersion', 'string'),
  7: one('graph', GRAPH),
  8: many('opsetImport', OPSET),
  14: many('metadataProps', ENTRY),
  25: many('functions', FUNCTION),
};

export interface TensorProto {
  dims: number[];
  dataType: number;
  name: string;
  floatData: ByteRange[];
  int32Data: ByteRange[];
  int64Data: ByteRange[];
  rawData: ByteRange[];
  doubleData: ByteRange[];
  uint64Data: ByteRange[];
  externalData: { key: string; value: string }[];
  dataLocation: number;
}

export interface ValueInfoProto {
  name: string;
  type?: { tensorType?: { elemType: number; shape?: { dim: { value: number; param: string }[] } } };
}

export interface AttributeProto {
  name: string;
  type: number;
  f: number;
  i: number;
  s?: Uint8Array;
  t?: TensorProto;
  g?: GraphProto;
  floats: number[];
  ints: number[];
  strings: Uint8Array[];
  refAttrName: string;
}

export interface NodeProto {
  input: string[];
  output: string[];
  name: string;
  opType: string;
  domain: string;
  attribute: AttributeProto[];
}

export interface GraphProto {
  node: NodeProto[];
  name: string;
  initializer: TensorProto[];
  input: ValueInfoProto[];
  output: ValueInfoProto[];
  valueInfo: ValueInfoProto[];
  sparseInitializer: unknown[];
}

export interface FunctionProto {
  name: string;
  domain: string;
  input: string[];
  output: string[];
  attribute: string[];
  attributeProto: AttributeProto[];
  node: NodeProto[];
  opsetImport: { domain: string; version: number }[];
}

export interface ModelProto {
  irVersion: number;
  producerName: string;
  producerVersion: string;
  graph?: GraphProto;
  opsetImport: { domain: string; version: number }[];
  metadataProps: { key: string; value: string }[];
  functions: FunctionProto[];
}
