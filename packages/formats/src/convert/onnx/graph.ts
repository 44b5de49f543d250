/** Reads the graph of an ONNX model: its nodes in topological order, without nodes that no output depends on. */
import { UnrollError, valueError } from '@unroll/core';
import { decodeUtf8 } from '@unroll/core/internal';
import type { ByteSource } from '../source.js';
import { type Dimension, size, symbol } from './dimensions.js';
import { damaged } from './protobuf.js';
import type { AttributeProto, GraphProto, ModelProto, NodeProto, ValueInfoProto } from './schema.js';
import { type ArrayValue, type ElementType, elementType, readTensor } from './tensors.js';

export type AttributeValue =
  | number
  | string
  | readonly number[]
  | readonly string[]
  | ArrayValue
  | GraphProto;

export interface Node {
  op: string;
  /** How messages refer to the node: `LSTM "/encoder/LSTM"`. */
  label: string;
  inputs: readonly string[];
  outputs: readonly string[];
  attributes: ReadonlyMap<string, AttributeValue>;
}

export interface GraphInput {
  name: string;
  type: ElementType;
  /** Sizes of the axes; a size with neither a name nor a number gets its own symbol. */
  shape: readonly Dimension[];
}

export interface Graph {
  name: string;
  opset: number;
  inputs: readonly GraphInput[];
  outputs: readonly string[];
  nodes: readonly Node[];
  constants: ReadonlyMap<string, ArrayValue>;
  /** Names of nodes, inputs and tensors that no output depends on. */
  unused: readonly string[];
  /** Number of nodes and graph outputs that read the elements of each value. */
  readers: ReadonlyMap<string, number>;
}

export const OLDEST_OPSET = 7;
/** The newest version of the operator set for which the operators were checked. */
export const NEWEST_OPSET = 28;

/** The two spellings of the domain of ONNX's standard operators. */
const DOMAINS = ['', 'ai.onnx'];

/** Returns the version of ONNX's operator set. @throws UnrollError `value` for an unsupported version */
export function opsetOf({ opsetImport }: ModelProto, file: string): number {
  const version = opsetImport.find(({ domain }) => DOMAINS.includes(domain))?.version;
  if (version === undefined) throw damaged(file, 'it does not say which version of the operator set it uses');
  if (version >= OLDEST_OPSET && version <= NEWEST_OPSET) return version;
  throw new UnrollError(
    'value',
    `${file} uses version ${version} of ONNX's operator set. Unroll reads versions ${OLDEST_OPSET} to ${NEWEST_OPSET}.`,
    { version },
  );
}

/** Reads the graph of a model, with the tensors that its outputs depend on. */
export async function readGraph(model: ModelProto, source: ByteSource): Promise<Graph> {
  const { graph } = model;
  if (!graph) throw damaged(source.name, 'it has no graph');
  if (graph.sparseInitializer.length > 0)
    throw new UnrollError('value', `${source.name} has sparse tensors, which Unroll does not read.`);
  const { order, needed } = sortNodes(graph, source.name);
  const used = new Set(order);
  const constants = new Map<string, ArrayValue>();
  for (const tensor of graph.initializer)
    if (needed.has(tensor.name)) constants.set(tensor.name, await readTensor(tensor, source));
  const nodes: Node[] = [];
  for (const node of order) nodes.push(await readNode(node, source));
  const names = new Set(graph.initializer.map(({ name }) => name));
  const inputs = graph.input.filter(({ name }) => !names.has(name));
  return {
    name: graph.name,
    opset: opsetOf(model, source.name),
    inputs: inputs.filter(({ name }) => needed.has(name)).map((input) => inputOf(input, source.name)),
    outputs: graph.output.map(({ name }) => name),
    nodes,
    constants,
    unused: [
      ...graph.node.filter((node) => !used.has(node)).map(labelOf),
      ...[...graph.initializer, ...inputs].map(({ name }) => name).filter((name) => !needed.has(name)),
    ],
    readers: countReaders(order, graph),
  };
}

export function labelOf({ opType, name, output, domain }: NodeProto): string {
  const op = DOMAINS.includes(domain) ? opType : `${domain}.${opType}`;
  return `${op} "${name || output[0] || ''}"`;
}

function countReaders(nodes: readonly NodeProto[], graph: GraphProto): Map<string, number> {
  const readers = new Map<string, number>();
  const read = (name: string): void => {
    readers.set(name, (readers.get(name) ?? 0) + 1);
  };
  // Shape is not counted: it reads no elements, so layers can be merged as if it did not read their outputs.
  for (const { input, opType } of nodes)
    if (opType !== 'Shape') input.filter((name) => name !== '').forEach(read);
  for (const { name } of graph.output) read(name);
  return readers;
}

/**
 * Returns the nodes that the outputs depend on, in topological order, and the names of all values that they need.
 * @throws UnrollError `format` for cycles, values without a source or with two sources
 */
function sortNodes(graph: GraphProto, file: string): { order: NodeProto[]; needed: Set<string> } {
  const sources = new Map<string, NodeProto | null>();
  for (const { name } of graph.initializer) addSource(sources, name, null, file);
  for (const { name } of graph.input) sources.set(name, null);
  for (const node of graph.node)
    for (const name of node.output) if (name !== '') addSource(sources, name, node, file);
  const order: NodeProto[] = [];
  const needed = new Set<string>();
  const state = new Map<NodeProto, 'open' | 'done'>();
  const need = (name: string, reader: string): NodeProto | null => {
    needed.add(name);
    const node = sources.get(name);
    if (node === undefined)
      throw damaged(file, `${reader} reads "${name}", which no node, input or initializer provides`, {
        name,
      });
    return node;
  };
  // A stack instead of recursion, because graphs may be deeper than the call stack of JavaScript.
  const stack: NodeProto[] = [];
  for (const { name } of graph.output) {
    const last = need(name, 'the graph');
    if (last) stack.push(last);
    while (stack.length > 0) {
      const node = stack[stack.length - 1];
      if (state.get(node) === 'done') {
        stack.pop();
        continue;
      }
      const pending = node.input
        .filter((input) => input !== '')
        .map((input) => need(input, labelOf(node)))
        .filter((found) => found !== null && state.get(found) !== 'done') as NodeProto[];
      if (pending.length === 0) {
        state.set(node, 'done');
        order.push(node);
        stack.pop();
        continue;
      }
      const open = pending.find((found) => state.get(found) === 'open' || found === node);
      if (open && state.get(node) === 'open')
        throw damaged(file, `${labelOf(open)} depends on its own output`);
      state.set(node, 'open');
      stack.push(...pending);
    }
  }
  return { order, needed };
}

function addSource(
  sources: Map<string, NodeProto | null>,
  name: string,
  node: NodeProto | null,
  file: string,
): void {
  if (sources.has(name)) throw damaged(file, `the value "${name}" has two sources`, { name });
  sources.set(name, node);
}

function inputOf({ name, type }: ValueInfoProto, file: string): GraphInput {
  const tensor = type?.tensorType;
  const kind = tensor && elementType(tensor.elemType);
  if (!tensor?.shape || !kind)
    throw new UnrollError('value', `${file}: the input "${name}" must be a numeric tensor of known rank.`, {
      name,
    });
  const shape = tensor.shape.dim.map(({ value, param }, axis) => {
    if (value > 2 ** 31)
      throw damaged(file, `the input "${name}" has ${value} elements on axis ${axis}, more than 2^31`);
    return value > 0 ? size(value) : symbol(param || `${name}.${axis}`);
  });
  return { name, type: kind, shape };
}

async function readNode(node: NodeProto, source: ByteSource): Promise<Node> {
  const attributes = new Map<string, AttributeValue>();
  for (const attribute of node.attribute)
    attributes.set(attribute.name, await readAttribute(attribute, labelOf(node), source));
  return {
    op: DOMAINS.includes(node.domain) ? node.opType : `${node.domain}.${node.opType}`,
    label: labelOf(node),
    inputs: node.input,
    outputs: node.output,
    attributes,
  };
}

/** Returns the numbers of a Constant node that has at most 8 numbers; null for other nodes. */
export function constantNumbers({ attributes }: Node): readonly number[] | null {
  const array = attributes.get('value');
  if (typeof array === 'object' && 'values' in array && ArrayBuffer.isView(array.values))
    return array.values.length < 9 ? [...array.values] : null;
  for (const name of ['value_float', 'value_int']) {
    const number = attributes.get(name);
    if (typeof number === 'number') return [number];
  }
  for (const name of ['value_floats', 'value_ints']) {
    const numbers = attributes.get(name);
    if (Array.isArray(numbers)) return numbers.length < 9 ? (numbers as number[]) : null;
  }
  return null;
}

/** The types of attributes in onnx.proto. */
const TYPES = { float: 1, int: 2, string: 3, tensor: 4, graph: 5, floats: 6, ints: 7, strings: 8 } as const;

async function readAttribute(
  attribute: AttributeProto,
  node: string,
  source: ByteSource,
): Promise<AttributeValue> {
  const { type, name, t, g, s } = attribute;
  const text = (bytes: Uint8Array): string => decodeUtf8(bytes, `The attribute ${name} of ${node}`);
  if (type === TYPES.float) return attribute.f;
  if (type === TYPES.int) return attribute.i;
  if (type === TYPES.string) return text(s ?? new Uint8Array(0));
  if (type === TYPES.tensor && t) return readTensor(t, source);
  if (type === TYPES.graph && g) return g;
  if (type === TYPES.floats) return attribute.floats;
  if (type === TYPES.ints) return attribute.ints;
  if (type === TYPES.strings) return attribute.strings.map(text);
  if (type === TYPES.tensor || type === TYPES.graph)
    throw damaged(source.name, `the attribute ${name} of ${node} has no value`);
  throw valueError(`${node}: the type ${type} of the attribute ${name} is not supported.`, { node, name });
}
