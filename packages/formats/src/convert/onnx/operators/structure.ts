/** Converts nodes that change shapes, and nodes that compute sizes and constants. For axes and atoms, see ../values.ts. */
import type { FloatArray } from '@unroll/core';
import { checkCount, transposed } from '../arrays.js';
import type { NodeContext } from '../context.js';
import { type Dimension, formatDimension, knownSize, product, size } from '../dimensions.js';
import { reshapeOnnxAxes } from '../layout.js';
import {
  type Axis,
  type Constant,
  constantOf,
  current,
  fullValues,
  type ModelTensor,
  newAxis,
  shapeOf,
  sizesOf,
  type Value,
} from '../values.js';
import type { Operator } from './operator.js';

/** Returns the sizes that an input contains, or in older opsets an attribute; null if there is neither. */
export function sizesFrom(
  context: NodeContext,
  index: number,
  attribute: string,
): readonly Dimension[] | null {
  const value = context.optional(index);
  if (value === null) return context.has(attribute) ? context.numbers(attribute).map(size) : null;
  const sizes = sizesOf(value);
  if (sizes) return sizes;
  throw context.error(`the input ${context.node.inputs[index]} must be constant`);
}

/** Like {@link sizesFrom}, for numbers. */
export function numbersFrom(context: NodeContext, index: number, attribute: string): number[] | null {
  const sizes = sizesFrom(context, index, attribute);
  if (!sizes) return null;
  return sizes.map((extent) => {
    const number = knownSize(extent);
    if (number === null) throw context.error('it depends on an unknown size');
    return number;
  });
}

export const asSizes = (sizes: readonly Dimension[], isScalar = false): Value => ({
  ...{ kind: 'sizes', isScalar, sizes, type: 'int' },
});

/** Returns sizes as a constant if all are known. Returns other values unchanged. */
export function simplified(value: Value): Value {
  if (value.kind !== 'sizes') return value;
  const values = fullValues(value);
  return values ? constantOf(value.isScalar ? [] : [values.length], values, value.type) : value;
}

/** Returns a constant with its values repeated to its shape. */
export function fullConstant(context: NodeContext, value: Value): Constant {
  const values = fullValues(value);
  if (!values) throw context.error('it has a constant of unknown size');
  return constantOf(
    shapeOf(value).map((extent) => knownSize(extent) as number),
    values,
    value.type,
  );
}

const identity: Operator['convert'] = (context) => [context.input(0)];

function transpose(context: NodeContext): Value[] {
  const value = context.input(0);
  const rank = shapeOf(value).length;
  const order = context.numbers(
    'perm',
    Array.from({ length: rank }, (_, d) => rank - 1 - d),
  );
  if (order.length !== rank || new Set(order).size !== rank || order.some((d) => !(d >= 0 && d < rank)))
    throw context.error(`perm must be a permutation of ${rank} axes, got [${order.join(', ')}]`);
  if (value.kind === 'tensor') return [{ ...value, onnxAxes: order.map((axis) => value.onnxAxes[axis]) }];
  if (value.kind === 'sizes') return [value];
  const lead = value.shape.length - value.extents.length;
  const extents = [...new Array<number>(lead).fill(1), ...value.extents];
  const { values, extents: moved } = transposed({ extents, values: value.values }, order);
  return [{ ...value, values, extents: moved, shape: order.map((axis) => value.shape[axis]) }];
}

/** Returns a value with another shape and the same elements. */
export function reshaped(context: NodeContext, value: Value, shape: readonly Dimension[]): Value {
  if (value.kind === 'tensor') return reshapeOnnxAxes(context, value, shape);
  if (value.kind === 'sizes') {
    if (shape.length > 1) throw context.error('it reshapes a list of unknown sizes');
    return { ...value, isScalar: shape.length === 0 };
  }
  if (value.values.length === 1 && shape.every((extent) => knownSize(extent) !== -1))
    return { ...value, extents: shape.map(() => 1), shape };
  const constant = fullConstant(context, value);
  const rest = shape.reduce((total, extent) => total * Math.abs(knownSize(extent) ?? Number.NaN), 1);
  const extents = shape.map((extent) => {
    const number = knownSize(extent) ?? Number.NaN;
    return number === -1 ? constant.values.length / rest : number;
  });
  if (extents.reduce((total, extent) => total * extent, 1) !== constant.values.length)
    throw context.error(
      `a constant of ${constant.values.length} elements cannot have the shape [${extents}]`,
    );
  return constantOf(extents, constant.values, constant.type, value.name);
}

function reshape(context: NodeContext): Value[] {
  const value = context.input(0);
  const from = shapeOf(value);
  const zeroCopiesSize = context.number('allowzero', 0) === 0;
  const target = sizesFrom(context, 1, 'shape');
  if (!target) throw context.error('the shape is missing');
  const shape = target.map((extent, d) =>
    knownSize(extent) === 0 && zeroCopiesSize ? (from[d] ?? extent) : extent,
  );
  return [reshaped(context, value, shape)];
}

function flatten(context: NodeContext): Value[] {
  const value = context.input(0);
  const shape = shapeOf(value);
  const attribute = context.number('axis', 1);
  const axis = attribute === shape.length ? attribute : context.axis(attribute, shape.length);
  if (value.kind !== 'tensor') {
    const constant = fullConstant(context, value);
    const rows = constant.extents.slice(0, axis).reduce((total, extent) => total * extent, 1);
    return [reshaped(context, value, [size(rows), size(-1)])];
  }
  const join = (axes: readonly Axis[]): Axis => axes.flatMap((axis) => [...current(axis)]);
  return [{ ...value, onnxAxes: [join(value.onnxAxes.slice(0, axis)), join(value.onnxAxes.slice(axis))] }];
}

function squeeze(context: NodeContext): Value[] {
  const value = context.input(0);
  const shape = shapeOf(value);
  const axes =
    numbersFrom(context, 1, 'axes')?.map((axis) => context.axis(axis, shape.length)) ??
    shape.flatMap((extent, d) => (knownSize(extent) === 1 ? [d] : []));
  if (axes.some((axis) => knownSize(shape[axis]) !== 1))
    throw context.error('it removes an axis whose size is not 1');
  if (value.kind === 'sizes') return [{ ...value, isScalar: value.isScalar || axes.length > 0 }];
  const remaining = <T>(list: readonly T[]): T[] => list.filter((_, d) => !axes.includes(d));
  if (value.kind === 'tensor') return [{ ...value, onnxAxes: remaining(value.onnxAxes) }];
  return [reshaped(context, value, remaining(shape))];
}

function unsqueeze(context: NodeContext): Value[] {
  const value = context.input(0);
  const newAxes = numbersFrom(context, 1, 'axes');
  if (!newAxes) throw context.error('the axes are missing');
  const rank = shapeOf(value).length + newAxes.length;
  context.checkRank(rank);
  const axes = newAxes.map((axis) => context.axis(axis, rank)).sort((a, b) => a - b);
  if (value.kind === 'sizes') {
    if (value.isScalar && rank === 1) return [{ ...value, isScalar: false }];
    throw context.error('it adds an axis to unknown sizes');
  }
  const insert = <T>(list: readonly T[], item: T): T[] =>
    axes.reduce((result, axis) => result.toSpliced(axis, 0, item), [...list]);
  if (value.kind === 'tensor') return [{ ...value, onnxAxes: insert<Axis>(value.onnxAxes, []) }];
  return [reshaped(context, value, insert(shapeOf(value), size(1)))];
}

function expand(context: NodeContext): Value[] {
  const value = context.input(0);
  const target = sizesFrom(context, 1, 'shape');
  if (!target) throw context.error('the shape is missing');
  const from = shapeOf(value);
  const rank = Math.max(from.length, target.length);
  const shape = Array.from({ length: rank }, (_, d): Dimension => {
    const [extent, wanted] = [
      from[d - rank + from.length] ?? size(1),
      target[d - rank + target.length] ?? size(1),
    ];
    return knownSize(extent) === 1 ? wanted : extent;
  });
  checkSizes(context, shape);
  if (value.kind === 'sizes') throw context.error('it repeats unknown sizes');
  if (value.kind === 'constant') return [{ ...value, shape }];
  return [broadcast(context, value, shape)];
}

/** Repeats a tensor of the model along axes of size 1. */
function broadcast(context: NodeContext, tensor: ModelTensor, shape: readonly Dimension[]): Value {
  const lead = shape.length - tensor.onnxAxes.length;
  const onnxAxes: Axis[] = [...new Array<Axis>(lead).fill([]), ...tensor.onnxAxes.map(current)];
  const added = shape.flatMap((extent, d) =>
    onnxAxes[d].length === 0 && knownSize(extent) !== 1 ? [d] : [],
  );
  if (added.length === 0) return { ...tensor, onnxAxes };
  const sizes = added.map((d) => knownSize(shape[d]));
  if (sizes.includes(null)) throw context.error('it repeats a tensor an unknown number of times');
  const modelAxes = tensor.modelAxes.map(current);
  const wider = context.writer.arrange(tensor, [modelAxes[0], ...added.map(() => []), ...modelAxes.slice(1)]);
  const extents = [...sizes, ...modelAxes.slice(1).map((_, i) => ({ axis: 1 + added.length + i }))];
  const ref = context.writer.operation({ operation: 'broadcast', shape: extents }, [wider.ref]);
  const addedAxes = added.map((d) => newAxis(shape[d]));
  return {
    ...tensor,
    ref,
    modelAxes: [modelAxes[0], ...addedAxes, ...modelAxes.slice(1)],
    onnxAxes: onnxAxes.map((axis, d) => (added.includes(d) ? addedAxes[added.indexOf(d)] : axis)),
  };
}

function shapeNode(context: NodeContext): Value[] {
  const shape = shapeOf(context.input(0));
  const [start, end] = [context.number('start', 0), context.number('end', shape.length)];
  return [simplified(asSizes(shape.slice(start, end)))];
}

function sizeNode(context: NodeContext): Value[] {
  return [simplified(asSizes([product(shapeOf(context.input(0)))], true))];
}

/** Converts Tile. Only axes of size 1 can be repeated. */
function tile(context: NodeContext): Value[] {
  const value = context.input(0);
  const repeats = sizesFrom(context, 1, '');
  const shape = shapeOf(value);
  if (!repeats || repeats.length !== shape.length) throw context.error('the repeats are missing');
  checkSizes(context, repeats);
  if (repeats.some((count, d) => knownSize(count) !== 1 && knownSize(shape[d]) !== 1))
    throw context.error('it repeats an axis whose size is not 1, and only axes of size 1 can be repeated');
  const wider = shape.map((extent, d) => (knownSize(extent) === 1 ? repeats[d] : extent));
  if (value.kind === 'sizes') throw context.error('it repeats unknown sizes');
  return [value.kind === 'constant' ? { ...value, shape: wider } : broadcast(context, value, wider)];
}

function constantNode(context: NodeContext): Value[] {
  if (context.has('value')) {
    const { shape, values, type } = context.array('value');
    return [constantOf(shape, values, type, context.node.outputs[0])];
  }
  const scalar = (name: string): Value =>
    constantOf([], Float64Array.of(context.number(name)), name.endsWith('int') ? 'int' : 'float');
  const list = (name: string): Value =>
    constantOf(
      [context.numbers(name).length],
      Float64Array.from(context.numbers(name)),
      name.endsWith('ints') ? 'int' : 'float',
    );
  if (context.has('value_float')) return [scalar('value_float')];
  if (context.has('value_int')) return [scalar('value_int')];
  if (context.has('value_floats')) return [list('value_floats')];
  if (context.has('value_ints')) return [list('value_ints')];
  throw context.error(
    'it must have one of the attributes value, value_float, value_int, value_floats, value_ints',
  );
}

/** Checks a shape. @throws UnrollError `value` for negative sizes and for too many axes */
function checkSizes(context: NodeContext, shape: readonly Dimension[]): void {
  context.checkRank(shape.length);
  if (shape.some(({ factor }) => !(factor >= 0))) throw context.error('its shape has a negative size');
}

function constantOfShape(context: NodeContext): Value[] {
  const shape = sizesFrom(context, 0, '');
  if (!shape) throw context.error('the shape is missing');
  checkSizes(context, shape);
  const { values, type } = context.has('value')
    ? context.array('value')
    : { values: new Float32Array(1), type: 'float' as const };
  return [{ kind: 'constant', extents: shape.map(() => 1), values, shape, type, name: '' }];
}

/** Converts ConstantFill, an operator that PyTorch writes for opsets 7 and 8. */
function constantFill(context: NodeContext): Value[] {
  if (context.number('input_as_shape', 0) !== 1 || context.numbers('extra_shape', []).length > 0)
    throw context.error('input_as_shape must be 1, without extra_shape');
  const shape = sizesFrom(context, 0, '');
  if (!shape) throw context.error('the shape is missing');
  checkSizes(context, shape);
  const values = Float32Array.of(context.number('value', 0));
  return [{ kind: 'constant', extents: shape.map(() => 1), values, shape, type: 'float', name: '' }];
}

function range(context: NodeContext): Value[] {
  const { type } = context.input(0);
  const [limit] = sizesFrom(context, 1, '') ?? [];
  const [[start], [delta]] = [0, 2].map((i) => context.constant(i, 'the range').values);
  const end = limit && knownSize(limit);
  if (limit && end === null) return [openRange(context, limit, start, delta)];
  const count = Math.max(0, Math.ceil((Number(end) - start) / delta));
  checkCount(count, 0);
  const values: FloatArray = Float64Array.from({ length: count }, (_, i) => start + i * delta);
  return [constantOf([count], values, type)];
}

/** Returns the indices 0, 1, 2, ... of the steps, for sequences of any length. */
function openRange(context: NodeContext, limit: Dimension, start: number, delta: number): ModelTensor {
  if (start !== 0 || delta !== 1) throw context.error('a range up to an unknown size must be 0, 1, 2, ...');
  const found = context.tensorWithAxis(limit);
  if (!found) throw context.error(`no axis of a sequence has the size ${formatDimension(limit)}`);
  const { tensor, at } = found;
  const ref = context.writer.operation({ operation: 'indices', axis: at }, [tensor.ref]);
  context.writer.markShared(tensor.ref);
  const steps = newAxis(limit);
  return {
    kind: 'tensor',
    ref,
    modelAxes: [current(tensor.modelAxes[0]), steps],
    onnxAxes: [steps],
    type: 'int',
  };
}

export const structure: Record<string, Operator> = {
  Constant: {
    becomes: 'a constant',
    attributes: ['value', 'value_float', 'value_int', 'value_floats', 'value_ints'],
    convert: constantNode,
  },
  ConstantFill: {
    becomes: 'a constant',
    attributes: ['dtype', 'extra_shape', 'input_as_shape', 'shape', 'value'],
    convert: constantFill,
    note: 'written by PyTorch for opsets 7 and 8',
  },
  ConstantOfShape: { becomes: 'a constant', attributes: ['value'], convert: constantOfShape },
  Expand: { becomes: 'TensorOperation broadcast', attributes: [], convert: expand },
  Flatten: { becomes: 'Reshape, if needed', attributes: ['axis'], convert: flatten },
  Identity: { becomes: 'nothing', attributes: [], convert: identity },
  Range: { becomes: 'a constant, or TensorOperation indices', attributes: [], convert: range },
  Reshape: { becomes: 'Reshape, if needed', attributes: ['shape', 'allowzero'], convert: reshape },
  Shape: { becomes: 'a constant', attributes: ['start', 'end'], convert: shapeNode },
  Size: { becomes: 'a constant', attributes: [], convert: sizeNode },
  Squeeze: { becomes: 'Reshape, if needed', attributes: ['axes'], convert: squeeze },
  Tile: {
    becomes: 'TensorOperation broadcast',
    attributes: [],
    convert: tile,
    note: 'only along axes of size 1',
  },
  Transpose: { becomes: 'Permute, if needed', attributes: ['perm'], convert: transpose },
  Unsqueeze: { becomes: 'Reshape, if needed', attributes: ['axes'], convert: unsqueeze },
};
