/** The context in which a node is converted: its inputs and attributes, and the model that is being written. */
import { UnrollError, valueError } from '@unroll/core';
import type { ImportReport } from '../format.js';
import { type Dimension, equalDimensions, knownSize } from './dimensions.js';
import type { Graph, Node } from './graph.js';
import type { ArrayValue } from './tensors.js';
import {
  type Axis,
  axisSize,
  type Constant,
  current,
  formatShapeOf,
  fullValues,
  type ModelTensor,
  shapeOf,
  type Value,
} from './values.js';
import type { ModelWriter } from './writer.js';

/**
 * Thrown if an input of the graph has its batch on another axis than assumed. `axis` is the right axis, -1 if the input has no
 * batch, or null if it is only known that the assumed axis is wrong.
 */
export class OtherBatchAxis extends Error {
  readonly input: string;
  readonly axis: number | null;

  constructor(input: string, axis: number | null) {
    super(`The batch of ${input} is on another axis.`);
    this.input = input;
    this.axis = axis;
  }
}

const MAX_RANK = 32;

export class NodeContext {
  readonly node: Node;
  readonly graph: Graph;
  readonly writer: ModelWriter;
  readonly report: ImportReport;
  readonly #values: ReadonlyMap<string, Value>;

  constructor(
    node: Node,
    {
      graph,
      writer,
      report,
      values,
    }: Pick<NodeContext, 'graph' | 'writer' | 'report'> & {
      values: ReadonlyMap<string, Value>;
    },
  ) {
    this.node = node;
    this.graph = graph;
    this.writer = writer;
    this.report = report;
    this.#values = values;
  }

  get opset(): number {
    return this.graph.opset;
  }

  /** Returns an input; null if it is absent. */
  optional(index: number): Value | null {
    const name = this.node.inputs[index] ?? '';
    return name === '' ? null : (this.#values.get(name) as Value);
  }

  input(index: number): Value {
    const value = this.optional(index);
    if (value) return value;
    throw this.error(`the input with index ${index} is missing`);
  }

  get inputs(): Value[] {
    return this.node.inputs.map((_, index) => this.input(index));
  }

  /** Returns an input of the node that is a tensor of the model. */
  tensor(index: number): ModelTensor {
    const value = this.input(index);
    if (value.kind === 'tensor')
      return { ...value, modelAxes: value.modelAxes.map(current), onnxAxes: value.onnxAxes.map(current) };
    throw this.error(`its input "${this.node.inputs[index]}" must depend on the inputs of the model`);
  }

  /** Returns a constant input, with its values broadcast to its full shape. @param what names the input in messages */
  constant(index: number, what: string): Constant {
    const value = this.input(index);
    const values = fullValues(value);
    if (!values) throw this.error(`${what} must be constant`);
    const extents = shapeOf(value).map((extent) => knownSize(extent) as number);
    const name = value.kind === 'constant' ? value.name : '';
    return { kind: 'constant', extents, values, shape: shapeOf(value), type: value.type, name };
  }

  optionalConstant(index: number, what: string): Constant | null {
    return this.optional(index) ? this.constant(index, what) : null;
  }

  /** Returns a tensor that has a model axis of this size, other than the batch, and the index of that axis; null if none. */
  tensorWithAxis(extent: Dimension): { tensor: ModelTensor; at: number } | null {
    for (const value of this.#values.values()) {
      if (value.kind !== 'tensor') continue;
      const at = value.modelAxes.findIndex(
        (axis, d) => d > 0 && equalDimensions(axisSize(current(axis)), extent),
      );
      if (at > 0) return { tensor: value, at };
    }
    return null;
  }

  /** Returns true if a node or an output of the graph reads output `index`. */
  isOutputRead(index: number): boolean {
    return (this.graph.readers.get(this.node.outputs[index] ?? '') ?? 0) > 0;
  }

  /** Returns true if nothing else reads this input: no other node, and no output of the graph. */
  isOnlyReader(index: number): boolean {
    return this.graph.readers.get(this.node.inputs[index]) === 1;
  }

  has(name: string): boolean {
    return this.node.attributes.has(name);
  }

  number(name: string, otherwise?: number): number {
    return this.#attribute(name, (value) => typeof value === 'number', otherwise, 'a number') as number;
  }

  text(name: string, otherwise?: string): string {
    return this.#attribute(name, (value) => typeof value === 'string', otherwise, 'a string') as string;
  }

  numbers(name: string, otherwise?: readonly number[]): readonly number[] {
    const isList = (value: unknown): boolean =>
      Array.isArray(value) && value.every((item) => typeof item === 'number');
    return this.#attribute(name, isList, otherwise, 'a list of numbers') as number[];
  }

  texts(name: string, otherwise?: readonly string[]): readonly string[] {
    const isList = (value: unknown): boolean =>
      Array.isArray(value) && value.every((item) => typeof item === 'string');
    return this.#attribute(name, isList, otherwise, 'a list of strings') as string[];
  }

  array(name: string): ArrayValue {
    const isArray = (value: unknown): boolean =>
      typeof value === 'object' && value !== null && Object.hasOwn(value, 'values');
    return this.#attribute(name, isArray, undefined, 'a tensor') as ArrayValue;
  }

  /** Checks the number of axes of a tensor. @throws UnrollError `value` for more than 32 axes */
  checkRank(rank: number): void {
    if (rank > MAX_RANK) throw this.error(`a tensor has ${rank} axes, more than ${MAX_RANK}`);
  }

  /** Converts an index of an axis, which counts from the end if it is negative, to an index from 0. */
  axis(axis: number, rank: number): number {
    const positive = axis < 0 ? axis + rank : axis;
    if (Number.isInteger(positive) && positive >= 0 && positive < rank) return positive;
    throw this.error(`the axis ${axis} does not exist in a tensor of rank ${rank}`);
  }

  /**
   * Checks that an axis of a tensor is the batch, or that the tensor has no batch.
   * @param axis the axis, as a list of atoms (values.ts)
   * @param what names the axis in messages
   * @throws OtherBatchAxis if an input of the graph must have its batch on another axis
   */
  requireBatch(axis: Axis, tensor: ModelTensor, what: string): void {
    const atoms = current(axis);
    if (atoms.length === 1 && atoms[0].isBatch) return;
    const [atom] = atoms;
    if (atom?.origin) throw new OtherBatchAxis(atom.origin.input, atom.origin.axis);
    const other = tensor.onnxAxes.flat().find(({ origin }) => origin !== null)?.origin;
    if (atoms.length === 0 && tensor.onnxAxes.flat().every(({ isBatch }) => !isBatch)) return;
    if (atoms.length === 0 && other) throw new OtherBatchAxis(other.input, -1);
    throw this.error(`${what} of ${formatShapeOf(tensor)} must be the batch`);
  }

  /**
   * Checks that an axis, which the node changes, does not contain the batch.
   * @param what the message up to `the batch`
   * @throws OtherBatchAxis if the batch is an axis of a graph input, which may have its batch on another axis; otherwise
   * UnrollError `value`
   */
  rejectBatch(axis: Axis, what: string): void {
    const batch = current(axis).find(({ isBatch }) => isBatch);
    if (!batch) return;
    if (batch.origin) throw new OtherBatchAxis(batch.origin.input, null);
    throw this.error(`${what} the batch`);
  }

  /** Checks the attributes of the node. @throws UnrollError `value` for an attribute that is not in `names` */
  checkAttributes(names: readonly string[]): void {
    for (const name of this.node.attributes.keys())
      if (!names.includes(name)) throw this.error(`the attribute ${name} is not supported`);
  }

  /** Returns an error that names the node. @param problem a clause without a full stop */
  error(problem: string, data: Record<string, unknown> = {}): UnrollError {
    return valueError(`${this.node.label}: ${problem}.`, { node: this.node.label, ...data });
  }

  #attribute(
    name: string,
    accepts: (value: unknown) => boolean,
    otherwise: unknown,
    expected: string,
  ): unknown {
    const value = this.node.attributes.get(name) ?? otherwise;
    if (accepts(value)) return value;
    throw new UnrollError(
      'format',
      `${this.node.label}: the attribute ${name} must be ${expected}, got ${value === undefined ? 'none' : typeof value}.`,
      { node: this.node.label, name },
    );
  }
}
