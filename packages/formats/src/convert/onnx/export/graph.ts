/** Collects the nodes and initializers of an ONNX graph that is being written. */
import { type FloatArray, type Shape, valueError } from '@unroll/core';
import type { MessageToWrite } from '../protobuf.js';

/** The value of an attribute: integers, strings, or numbers marked as floats. */
export type Attribute =
  | number
  | string
  | readonly number[]
  | readonly string[]
  | { float: number }
  | { floats: readonly number[] };

/** A tensor of the graph. */
export interface GraphTensor {
  name: string;
  /** -1: any size. */
  shape: Shape;
  /** The mask of the steps, [batch, steps], 1 and 0 as floats; null: all steps are valid. */
  mask: string | null;
}

/** Data types in onnx.proto. */
export const FLOAT = 1;
export const INT32 = 6;
export const INT64 = 7;
export const BOOL = 9;

export class OnnxGraph {
  readonly opset: number;
  readonly #nodes: MessageToWrite[] = [];
  readonly #initializers: MessageToWrite[] = [];
  readonly #inputs: MessageToWrite[] = [];
  readonly #outputs: MessageToWrite[] = [];
  readonly #names = new Map<string, number>();
  /** Names of constants by their content, and of weights by their key. */
  readonly #constants = new Map<string, string>();
  /** The input and the order of the axes of each Transpose node, by its output. */
  readonly #transposed = new Map<string, { from: string; perm: readonly number[] }>();

  constructor(opset: number) {
    this.opset = opset;
  }

  input(name: string, shape: readonly (number | string)[], type = FLOAT): string {
    const unique = this.unique(name);
    this.#inputs.push(valueInfo(unique, shape, type));
    return unique;
  }

  /** Declares an output. An Identity node gives the value the name of the output. */
  output(name: string, value: string, shape: readonly (number | string)[], type = FLOAT): void {
    const unique = this.unique(name);
    this.#nodes.push(nodeOf('Identity', [value], [unique], unique, {}));
    this.#outputs.push(valueInfo(unique, shape, type));
  }

  /** Adds a node with one output. @param inputs '' for a missing input */
  node(op: string, inputs: readonly string[], attributes: Readonly<Record<string, Attribute>> = {}): string {
    return this.nodes(op, inputs, 1, attributes)[0];
  }

  /** Adds a node with several outputs. */
  nodes(
    op: string,
    inputs: readonly string[],
    count: number,
    attributes: Readonly<Record<string, Attribute>> = {},
  ): string[] {
    const name = this.unique(op.toLowerCase());
    const outputs = Array.from({ length: count }, (_, i) => (i === 0 ? name : `${name}_output_${i}`));
    this.#nodes.push(nodeOf(op, inputs, outputs, name, attributes));
    return outputs;
  }

  /** Adds a Transpose node. Successive Transpose nodes become one node, or none if they cancel. */
  transpose(value: string, perm: readonly number[]): string {
    const before = this.#transposed.get(value);
    const order = before ? perm.map((axis) => before.perm[axis]) : perm;
    const from = before?.from ?? value;
    if (order.every((axis, i) => axis === i)) return from;
    const name = this.node('Transpose', [from], { perm: order });
    this.#transposed.set(name, { from, perm: order });
    return name;
  }

  /**
   * Adds a float32 tensor.
   * @param key the same key always gives the same tensor
   * @throws UnrollError `value` if a value is not finite
   */
  floats(key: string, values: FloatArray | readonly number[], shape: Shape): string {
    const at = Float32Array.from(values).findIndex((value) => !Number.isFinite(value));
    if (at >= 0)
      throw valueError(
        `${key} has the value ${values[at]} at index ${at}. To be exported, weights must be finite and within the range of float32.`,
        { key, position: at, value: values[at] },
      );
    return this.#floats(key, values, shape);
  }

  /** Adds a float32 scalar, which may be infinite. */
  number(value: number): string {
    return this.#floats(`constant_${value}`, [value], []);
  }

  #floats(key: string, values: FloatArray | readonly number[], shape: Shape): string {
    const found = this.#constants.get(`float ${key}`);
    if (found) return found;
    const name = this.unique(key);
    const data = Float32Array.from(values);
    this.#constants.set(`float ${key}`, name);
    this.#initializers.push(tensorOf(name, FLOAT, shape, new Uint8Array(data.buffer)));
    return name;
  }

  /** Adds a vector of int64. */
  integers(values: readonly number[]): string {
    const key = `integers ${values.join()}`;
    const found = this.#constants.get(key);
    if (found) return found;
    const name = this.unique(`integers_${values.join('_').replaceAll('-', 'm')}`);
    this.#constants.set(key, name);
    const data = BigInt64Array.from(values.map((value) => BigInt(value)));
    this.#initializers.push(tensorOf(name, INT64, [values.length], new Uint8Array(data.buffer)));
    return name;
  }

  /** Returns the GraphProto message. */
  message(name: string): MessageToWrite {
    return {
      node: this.#nodes,
      name,
      initializer: this.#initializers,
      input: this.#inputs,
      output: this.#outputs,
    };
  }

  /** Returns a name that is not in use yet: the wanted name, if necessary with a number. */
  unique(wanted: string): string {
    const count = this.#names.get(wanted) ?? 0;
    this.#names.set(wanted, count + 1);
    if (count === 0) return wanted;
    const name = `${wanted}_${count}`;
    return this.#names.has(name) ? this.unique(wanted) : this.unique(name);
  }
}

/** Returns the inputs and attributes of a reduction. Before opset 18, only ReduceSum has its axes as an input. */
export function reductionArguments(
  graph: OnnxGraph,
  x: string,
  axes: readonly number[],
  keepDims: boolean,
  isSum = false,
): [string[], Record<string, number | readonly number[]>] {
  const keepdims = keepDims ? 1 : 0;
  if (graph.opset >= 18 || isSum) return [[x, graph.integers(axes)], { keepdims }];
  return [[x], { keepdims, axes }];
}

function nodeOf(
  opType: string,
  input: readonly string[],
  output: readonly string[],
  name: string,
  attributes: Readonly<Record<string, Attribute>>,
): MessageToWrite {
  const last = input.findLastIndex((value) => value !== '');
  return {
    input: input.slice(0, last + 1),
    output,
    name,
    opType,
    attribute: Object.entries(attributes).map(([key, value]) => ({ name: key, ...attributeOf(value) })),
  };
}

/** Returns an attribute with its type in onnx.proto. */
function attributeOf(value: Attribute): MessageToWrite {
  const text = (item: string): Uint8Array => new TextEncoder().encode(item);
  if (typeof value === 'number') return { i: value, type: 2 };
  if (typeof value === 'string') return { s: text(value), type: 3 };
  if ('float' in value) return { f: value.float, type: 1 };
  if ('floats' in value) return { floats: value.floats, type: 6 };
  if (value.every((item) => typeof item === 'number')) return { ints: value, type: 7 };
  return { strings: (value as readonly string[]).map(text), type: 8 };
}

function tensorOf(name: string, dataType: number, dims: Shape, rawData: Uint8Array): MessageToWrite {
  return { dims, dataType, name, rawData };
}

function valueInfo(name: string, shape: readonly (number | string)[], elemType: number): MessageToWrite {
  const dim = shape.map((extent) => (typeof extent === 'number' ? { value: extent } : { param: extent }));
  return { name, type: { tensorType: { elemType, shape: { dim } } } };
}

/** Provided by browsers and Node, but not declared in the type libraries of this package. */
declare const TextEncoder: new () => { encode(text: string): Uint8Array };
