/**
 * The values of an ONNX graph while it is converted.
 *
 * A tensor of the model is stored batch-major, but the nodes of the graph see it with other axes: a recurrent node takes
 * [steps, batch, features], and its output has an axis of directions. Therefore a value describes both: `modelAxes` lists
 * the axes of the tensor in the model, and `onnxAxes` lists the axes of the ONNX value. Each axis is a list of atoms, which
 * are the factors of its size; an axis of size 1 has no atoms. Transpose, Squeeze, Unsqueeze, Flatten and Reshape then
 * change only `onnxAxes`, and the transposes around recurrent nodes cancel without a special rule. `arrange` (writer.ts)
 * adds layers where a node needs another order.
 */
import type { FloatArray } from '@unroll/core';
import { strided, stridesOf } from './arrays.js';
import { type Dimension, formatDimension, knownSize, size } from './dimensions.js';
import type { ElementType } from './tensors.js';

/** A factor of the size of an axis. If two axes have the same Atom object, the axes share an index. */
export class Atom {
  readonly size: Dimension;
  readonly isBatch: boolean;
  /** The axis of a graph input that this atom stands for. */
  readonly origin: { input: string; axis: number } | null;
  /** The two factors that the atom has been split into. */
  parts: readonly [Atom, Atom] | null = null;

  constructor(
    extent: Dimension,
    { isBatch = false, origin = null }: Partial<Pick<Atom, 'isBatch' | 'origin'>> = {},
  ) {
    this.size = extent;
    this.isBatch = isBatch;
    this.origin = origin;
  }
}

export type Axis = readonly Atom[];

/** Returns a new axis of this size. */
export const newAxis = (extent: Dimension): Axis => (knownSize(extent) === 1 ? [] : [new Atom(extent)]);

/** Replaces each split atom with its parts. */
export function current(axis: Axis): Axis {
  return axis.every(({ parts }) => parts === null)
    ? axis
    : axis.flatMap((atom) => (atom.parts ? current(atom.parts) : [atom]));
}

export const axisSize = (axis: Axis): Dimension =>
  axis.reduce<Dimension>(
    (total, atom) => ({
      factor: total.factor * atom.size.factor,
      symbols: [...total.symbols, ...atom.size.symbols].sort(),
    }),
    size(1),
  );

/** An output of a node of the model. */
export type Reference = readonly [node: number, output: number];

/** A tensor that the model computes. */
export interface ModelTensor {
  kind: 'tensor';
  ref: Reference;
  /** Axes of the tensor in the model; the first is the batch. */
  modelAxes: readonly Axis[];
  /** Axes of the ONNX value. */
  onnxAxes: readonly Axis[];
  type: ElementType;
}

/** A tensor whose values are known. `shape` may be larger than the array, which is then broadcast. */
export interface Constant {
  kind: 'constant';
  /** The sizes of the array. */
  extents: readonly number[];
  values: FloatArray;
  /** The shape of the ONNX value, as broadcast. */
  shape: readonly Dimension[];
  type: ElementType;
  /** Name in the file, for the report; '' if it was computed. */
  name: string;
}

/** A scalar or a vector of sizes, some of which are unknown. */
export interface Sizes {
  kind: 'sizes';
  isScalar: boolean;
  sizes: readonly Dimension[];
  type: ElementType;
}

export type Value = ModelTensor | Constant | Sizes;

export function constantOf(
  extents: readonly number[],
  values: FloatArray,
  type: ElementType,
  name = '',
): Constant {
  return { kind: 'constant', extents, values, shape: extents.map(size), type, name };
}

/** Returns the shape of a value as the graph sees it. */
export function shapeOf(value: Value): readonly Dimension[] {
  if (value.kind === 'tensor') return value.onnxAxes.map(axisSize);
  if (value.kind === 'constant') return value.shape;
  return value.isScalar ? [] : [size(value.sizes.length)];
}

export const formatShapeOf = (value: Value): string => `[${shapeOf(value).map(formatDimension).join(', ')}]`;

/** Returns the elements of a constant or of sizes, if they are a scalar or a vector; null for other values. */
export function sizesOf(value: Value): readonly Dimension[] | null {
  if (value.kind === 'sizes') return value.sizes;
  if (value.kind !== 'constant' || value.shape.length > 1) return null;
  const values = fullValues(value);
  return values && Array.from(values, size);
}

/** Returns the numbers of a constant, broadcast to its shape; null if the value or its shape is unknown. */
export function fullValues(value: Value): FloatArray | null {
  if (value.kind === 'sizes') {
    const numbers = value.sizes.map(knownSize);
    return numbers.includes(null) ? null : Float64Array.from(numbers as number[]);
  }
  if (value.kind !== 'constant') return null;
  const extents = value.shape.map(knownSize);
  if (extents.includes(null)) return null;
  return broadcastValues(value.values, value.extents, extents as number[]);
}

/** Broadcasts an array to a shape, as NumPy does. @throws UnrollError `value` if the result would be too large */
export function broadcastValues(
  values: FloatArray,
  from: readonly number[],
  to: readonly number[],
): FloatArray {
  const lead = to.length - from.length;
  if (to.every((extent, d) => extent === (from[d - lead] ?? 1))) return values;
  const strides = stridesOf(from);
  return strided(
    values,
    to,
    to.map((_, d) => (d < lead || from[d - lead] === 1 ? 0 : strides[d - lead])),
  );
}
