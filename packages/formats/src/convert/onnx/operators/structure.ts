/** Nodes that move, select and join elements. */
import type { FloatArray } from '@unroll/core';
import { batchNames, constantOperand, mergeAxes, rename } from '../align.js';
import { checkCount, joined, taken, transposed } from '../arrays.js';
import type { NodeContext } from '../context.js';
import { computed, type Dimension, known, product, size } from '../dimensions.js';
import { isolate, reshapeSeen } from '../layout.js';
import {
  type Axis,
  axisSize,
  type Constant,
  constantOf,
  current,
  fullValues,
  type ModelTensor,
  newAxis,
  type Reference,
  repeated,
  shapeOf,
  sizesOf,
  type Value,
} from '../values.js';
import type { Operator } from './operator.js';

/** Returns the sizes that an input or, before some version, an attribute contains. */
function sizesFrom(context: NodeContext, index: number, attribute: string): readonly Dimension[] | null {
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
    const number = known(extent);
    if (number === null) throw context.error('it depends on an unknown size');
    return number;
  });
}

const asSizes = (sizes: readonly Dimension[], isScalar = false): Value => ({
  ...{ kind: 'sizes', isScalar, sizes, type: 'int' },
});

/** Returns sizes as a constant if all are known. */
export function simplified(value: Value): Value {
  if (value.kind !== 'sizes') return value;
  const values = fullValues(value);
  return values ? constantOf(value.isScalar ? [] : [values.length], values, value.type) : value;
}

/** Returns a constant with its values repeated to its shape. */
function full(context: NodeContext, value: Value): Constant {
  const values = fullValues(value);
  if (!values) throw context.error('it has a constant of unknown size');
  return constantOf(
    shapeOf(value).map((extent) => known(extent) as number),
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
  if (value.kind === 'tensor') return [{ ...value, seen: order.map((axis) => value.seen[axis]) }];
  if (value.kind === 'sizes') return [value];
  const lead = value.shape.length - value.extents.length;
  const extents = [...new Array<number>(lead).fill(1), ...value.extents];
  const { values, extents: moved } = transposed({ extents, values: value.values }, order);
  return [{ ...value, values, extents: moved, shape: order.map((axis) => value.shape[axis]) }];
}

/** Returns a value with another shape and the same elements. */
function reshaped(context: NodeContext, value: Value, shape: readonly Dimension[]): Value {
  if (value.kind === 'tensor') return reshapeSeen(context, value, shape);
  if (value.kind === 'sizes') {
    if (shape.length > 1) throw context.error('it changes the shape of unknown sizes');
    return { ...value, isScalar: shape.length === 0 };
  }
  if (value.values.length === 1 && shape.every((extent) => known(extent) !== -1))
    return { ...value, extents: shape.map(() => 1), shape };
  const whole = full(context, value);
  const rest = shape.reduce((total, extent) => total * Math.abs(known(extent) ?? Number.NaN), 1);
  const extents = shape.map((extent) => {
    const number = known(extent) ?? Number.NaN;
    return number === -1 ? whole.values.length / rest : number;
  });
  if (extents.reduce((total, extent) => total * extent, 1) !== whole.values.length)
    throw context.error(`a constant of ${whole.values.length} elements cannot have the shape [${extents}]`);
  return constantOf(extents, whole.values, whole.type, value.name);
}

function reshape(context: NodeContext): Value[] {
  const value = context.input(0);
  const from = shapeOf(value);
  const keepsZero = context.number('allowzero', 0) === 0;
  const target = sizesFrom(context, 1, 'shape');
  if (!target) throw context.error('the shape is missing');
  const shape = target.map((extent, d) => (known(extent) === 0 && keepsZero ? (from[d] ?? extent) : extent));
  return [reshaped(context, value, shape)];
}

function flatten(context: NodeContext): Value[] {
  const value = context.input(0);
  const shape = shapeOf(value);
  const given = context.number('axis', 1);
  const axis = given === shape.length ? given : context.axis(given, shape.length);
  if (value.kind !== 'tensor') {
    const whole = full(context, value);
    const rows = whole.extents.slice(0, axis).reduce((total, extent) => total * extent, 1);
    return [reshaped(context, value, [size(rows), size(-1)])];
  }
  const join = (axes: readonly Axis[]): Axis => axes.flatMap((own) => [...current(own)]);
  return [{ ...value, seen: [join(value.seen.slice(0, axis)), join(value.seen.slice(axis))] }];
}

function squeeze(context: NodeContext): Value[] {
  const value = context.input(0);
  const shape = shapeOf(value);
  const axes =
    numbersFrom(context, 1, 'axes')?.map((axis) => context.axis(axis, shape.length)) ??
    shape.flatMap((extent, d) => (known(extent) === 1 ? [d] : []));
  if (value.kind === 'sizes') return [{ ...value, isScalar: true }];
  if (axes.some((axis) => known(shape[axis]) !== 1))
    throw context.error('it removes an axis whose size is not 1');
  const remaining = <T>(list: readonly T[]): T[] => list.filter((_, d) => !axes.includes(d));
  if (value.kind === 'tensor') return [{ ...value, seen: remaining(value.seen) }];
  return [reshaped(context, value, remaining(shape))];
}

function unsqueeze(context: NodeContext): Value[] {
  const value = context.input(0);
  const given = numbersFrom(context, 1, 'axes');
  if (!given) throw context.error('the axes are missing');
  const rank = shapeOf(value).length + given.length;
  context.checkRank(rank);
  const axes = given.map((axis) => context.axis(axis, rank)).sort((a, b) => a - b);
  if (value.kind === 'sizes') {
    if (value.isScalar && rank === 1) return [{ ...value, isScalar: false }];
    throw context.error('it adds an axis to unknown sizes');
  }
  const insert = <T>(list: readonly T[], item: T): T[] =>
    axes.reduce((result, axis) => result.toSpliced(axis, 0, item), [...list]);
  if (value.kind === 'tensor') return [{ ...value, seen: insert<Axis>(value.seen, []) }];
  return [reshaped(context, value, insert(shapeOf(value), size(1)))];
}

/** Returns the elements of a value at indices along an axis. */
function select(context: NodeContext, value: Value, axis: number, indices: readonly number[]): Value {
  if (value.kind === 'sizes') return simplified(asSizes(indices.map((index) => value.sizes[index])));
  if (value.kind === 'constant') {
    const shape = value.shape.toSpliced(axis, 1, size(indices.length));
    const at = axis - value.shape.length + value.extents.length;
    const { extents, values } = (value.extents[at] ?? 1) === 1 ? value : taken(value, at, indices);
    return { ...value, extents, values, shape, name: '' };
  }
  const whole = full(context, value);
  const { extents, values } = taken(whole, axis, indices);
  return constantOf(extents, values, whole.type);
}

/** True for the numbers that stand for the end of an axis: the largest int32 or int64. */
const isOpenEnd = (end: number): boolean => end >= 2 ** 31 - 1;

/** Returns the elements from start to end of an axis with this step. */
export function sliced(
  context: NodeContext,
  value: Value,
  axis: number,
  { start, end, step = 1 }: { start: number; end: number; step?: number },
): Value {
  const extent = shapeOf(value)[axis];
  const length = known(extent);
  const range = length === null ? null : sliceRange(length, start, end, step);
  if (value.kind !== 'tensor') {
    if (!range) throw context.error('it slices a constant of unknown size');
    if (range.count === length && step === 1) return value;
    return select(context, value, axis, indicesOf(range));
  }
  const isWhole = range?.count === length && step === 1;
  if (isWhole || (length === null && start === 0 && isOpenEnd(end) && step === 1)) return value;
  context.rejectBatch(value.seen[axis], 'it slices');
  if (step !== 1) return strideSlice(context, value, axis, { range, length, start, step });
  if (current(value.seen[axis]).length === 0) throw context.error('it returns no elements');
  if (range?.count === 0) throw context.error('it returns no elements');
  if (range?.count === 1 || (length === null && start === -1 && isOpenEnd(end))) {
    const one = takeFrom(context, value, axis, range ? range.from : -1) as ModelTensor;
    return { ...one, seen: one.seen.toSpliced(axis, 0, []) };
  }
  const { tensor, at } = isolate(context, value, axis);
  const isOpen = length === null ? isOpenEnd(end) : end >= length;
  const bounds = { start, ...(isOpen ? {} : { end }) };
  const ref = context.writer.operation({ operation: 'slice', axis: at, ...bounds }, [tensor.ref]);
  const count = range ? size(range.count) : slicedSize(extent, start, end);
  return replaceAxis(tensor, axis, at, ref, count);
}

function strideSlice(
  context: NodeContext,
  value: ModelTensor,
  axis: number,
  {
    range,
    length,
    start,
    step,
  }: { range: SliceRange | null; length: number | null; start: number; step: number },
): Value {
  const { tensor, at } = isolate(context, value, axis);
  const isReverse = step === -1 && (range ? range.count === length : start === -1);
  if (isReverse) {
    const ref = context.writer.operation({ operation: 'reverse', axis: at }, [tensor.ref]);
    return replaceAxis(tensor, axis, at, ref, shapeOf(value)[axis]);
  }
  if (!range) throw context.error('it slices a sequence of any length with a step');
  const indices = indicesOf(range);
  const ref = context.writer.operation({ operation: 'take', axis: at, indices }, [tensor.ref]);
  return replaceAxis(tensor, axis, at, ref, size(indices.length));
}

/** Returns the size of an unknown axis after a slice. */
function slicedSize(extent: Dimension, start: number, end: number): Dimension {
  if (start >= 0 && end >= 0 && !isOpenEnd(end)) return size(Math.max(0, end - start));
  if (start < 0 && (isOpenEnd(end) || end < 0)) return size(Math.max(0, Math.min(end, 0) - start));
  return computed('-', extent, size(start + (end < 0 ? -end : 0)), (a, b) => a - b);
}

/** The indices from, from + step, ... */
interface SliceRange {
  from: number;
  count: number;
  step: number;
}

function sliceRange(length: number, start: number, end: number, step: number): SliceRange {
  const limit = (at: number, low: number, high: number): number =>
    Math.min(Math.max(at < 0 ? at + length : at, low), high);
  const [low, high] = step > 0 ? [0, length] : [-1, length - 1];
  const from = limit(start, low, high);
  const count = Math.max(0, Math.ceil((limit(end, low, high) - from) / step));
  return { from, count, step };
}

function indicesOf({ from, count, step }: SliceRange): number[] {
  checkCount(count, 0);
  return Array.from({ length: count }, (_, i) => from + i * step);
}

/** Returns a tensor in which an axis has another size. */
export function replaceAxis(
  tensor: ModelTensor,
  axis: number,
  at: number,
  ref: Reference,
  extent: Dimension,
): ModelTensor {
  const atoms = newAxis(extent);
  return {
    ...tensor,
    ref,
    stored: tensor.stored.toSpliced(at, 1, atoms),
    seen: tensor.seen.toSpliced(axis, 1, atoms),
  };
}

function slice(context: NodeContext): Value[] {
  let value = context.input(0);
  const rank = shapeOf(value).length;
  const starts = numbersFrom(context, 1, 'starts') ?? [];
  const ends = numbersFrom(context, 2, 'ends') ?? [];
  const axes = numbersFrom(context, 3, 'axes') ?? starts.map((_, i) => i);
  const steps = numbersFrom(context, 4, 'steps') ?? starts.map(() => 1);
  starts.forEach((start, i) => {
    if (steps[i] === 0 || ends[i] === undefined)
      throw context.error('its starts, ends and steps do not match');
    value = sliced(context, value, context.axis(axes[i], rank), { start, end: ends[i], step: steps[i] });
  });
  return [value];
}

function split(context: NodeContext): Value[] {
  const value = context.input(0);
  const shape = shapeOf(value);
  const axis = context.axis(context.number('axis', 0), shape.length);
  const count = context.node.outputs.length;
  const length = known(shape[axis]);
  const parts = numbersFrom(context, 1, 'split') ?? equalParts(length, context.number('num_outputs', count));
  if (!parts) throw context.error('it splits an axis of unknown size into equal parts');
  let start = 0;
  return parts.slice(0, count).map((part) => {
    const from = start;
    start += part;
    return sliced(context, value, axis, { start: from, end: start });
  });
}

function equalParts(length: number | null, count: number): number[] | null {
  if (length === null) return null;
  const part = Math.ceil(length / count);
  return Array.from({ length: count }, (_, i) => Math.min(part, length - i * part));
}

function concat(context: NodeContext): Value[] {
  const values = context.inputs;
  if (values.length === 1) return values;
  const rank = shapeOf(values[0]).length;
  const axis = context.axis(context.number('axis', 1), rank);
  if (values.some((value) => shapeOf(value).length !== rank))
    throw context.error('its inputs have different numbers of axes');
  if (values.some(({ kind }) => kind === 'sizes') && rank === 1 && values.every((value) => sizesOf(value)))
    return [simplified(asSizes(values.flatMap((value) => sizesOf(value) ?? [])))];
  if (values.every(({ kind }) => kind !== 'tensor')) {
    return [
      concatConstants(
        context,
        values.map((value) => constantOperand(context, value)),
        axis,
      ),
    ];
  }
  return [concatTensors(context, values, axis)];
}

/** Joins constants, which may repeat along other axes of unknown size. */
function concatConstants(context: NodeContext, constants: readonly Constant[], axis: number): Constant {
  const [{ shape, type }] = constants;
  const padded = constants.map(({ extents, shape: own }) => [
    ...new Array<number>(own.length - extents.length).fill(1),
    ...extents,
  ]);
  const common = shape.map((_, d) => Math.max(...padded.map((extents) => extents[d] ?? 1)));
  const arrays = constants.map(({ values, extents, shape: own }, i) => {
    const count = known(own[axis]);
    if (count === null || own.length !== shape.length)
      throw context.error('it joins constants of unknown size');
    const target = common.with(axis, count);
    if (padded[i].some((extent, d) => extent !== 1 && extent !== target[d]))
      throw context.error('the shapes of its constants do not match');
    return { extents: target, values: repeated(values, extents, target) };
  });
  const { extents, values } = joined(arrays, axis);
  return { kind: 'constant', extents, values, shape: shape.with(axis, size(extents[axis])), type, name: '' };
}

function concatTensors(context: NodeContext, values: readonly Value[], axis: number): Value {
  const tensors = values.map((value) => {
    if (value.kind !== 'tensor') throw context.error('it joins constants with tensors of the model');
    context.rejectBatch(value.seen[axis], 'it joins sequences along');
    return value;
  });
  const renamed = batchNames(tensors);
  const without = (tensor: ModelTensor): ModelTensor => ({
    ...tensor,
    seen: tensor.seen.toSpliced(axis, 1, []),
  });
  const seen: Axis[] = tensors[0].seen.map(() => []);
  for (const tensor of tensors) mergeAxes(context, seen, without(tensor), renamed);
  const own = tensors.map((tensor) => rename(tensor, renamed));
  const { tensor: base, at } = isolate(context, own[0], axis);
  const refs = own.map((tensor, i) =>
    i === 0
      ? base.ref
      : context.writer.arrange(tensor, base.stored.toSpliced(at, 1, current(tensor.seen[axis]))).ref,
  );
  const ref = context.writer.add({ className: 'Concatenate', config: { axis: at }, inputs: refs });
  const extent = tensors
    .map((tensor) => axisSize(tensor.seen[axis]))
    .reduce((a, b) => computed('+', a, b, (x, y) => x + y));
  return replaceAxis({ ...base, seen: base.seen.map(current) }, axis, at, ref, extent);
}

function gather(context: NodeContext): Value[] {
  const value = context.input(0);
  const indices = context.input(1);
  const axis = context.axis(context.number('axis', 0), shapeOf(value).length);
  if (indices.kind === 'tensor') return [embedding(context, indices, axis)];
  const numbers = fullValues(indices);
  if (!numbers) throw context.error('the indices must be constant');
  const shape = shapeOf(indices);
  const isScalar = shape.length === 0;
  const extent = known(shapeOf(value)[axis]);
  const list = Array.from(numbers, (index) => (index < 0 && extent !== null ? index + extent : index));
  if (extent !== null && list.some((index) => !(index >= 0 && index < extent)))
    throw context.error(`the indices must be from 0 to ${extent - 1}`);
  const isTensor = value.kind === 'tensor';
  const selected = isTensor
    ? takeFrom(context, value, axis, isScalar ? numbers[0] : list)
    : select(context, value, axis, list);
  if (shape.length === 1 || (isTensor && isScalar)) return [selected];
  if (selected.kind === 'sizes') return [{ ...selected, isScalar: true }];
  return [reshaped(context, selected, shapeOf(selected).toSpliced(axis, 1, ...shape))];
}

function takeFrom(
  context: NodeContext,
  value: ModelTensor,
  axis: number,
  indices: number | readonly number[],
): Value {
  const isScalar = typeof indices === 'number';
  // An axis of size 1, or a batch that the file fixes to one sequence.
  if (known(shapeOf(value)[axis]) === 1) {
    if (isScalar) return { ...value, seen: value.seen.toSpliced(axis, 1) };
    if (indices.length === 1) return value;
  }
  context.rejectBatch(value.seen[axis], 'it selects from');
  const { tensor, at } = isolate(context, value, axis);
  if (isScalar && isLastOutput(context, tensor, axis, at, indices))
    return { ...tensor, stored: tensor.stored.toSpliced(at, 1), seen: tensor.seen.toSpliced(axis, 1) };
  const ref = context.writer.operation({ operation: 'take', axis: at, indices }, [tensor.ref]);
  if (!isScalar) return replaceAxis(tensor, axis, at, ref, size(indices.length));
  return { ...tensor, ref, stored: tensor.stored.toSpliced(at, 1), seen: tensor.seen.toSpliced(axis, 1) };
}

/** If a recurrent layer is read only at its last step, makes it return that step. Returns false if it cannot. */
function isLastOutput(
  context: NodeContext,
  tensor: ModelTensor,
  axis: number,
  at: number,
  index: number,
): boolean {
  const { writer } = context;
  const { config } = writer.layerOf(tensor.ref);
  const steps = known(axisSize(tensor.seen[axis]));
  const isLast = index === -1 || (steps !== null && index === steps - 1);
  const isForward = config.returnSequences === true && !config.goBackwards && !config.layer;
  const isFree = tensor.ref[1] === 0 && !writer.isShared(tensor.ref) && context.isOnlyReader(0);
  if (at !== 1 || !isLast || !isForward || !isFree) return false;
  config.returnSequences = false;
  return true;
}

function embedding(context: NodeContext, indices: ModelTensor, axis: number): Value {
  const table = context.constant(0, 'the table');
  if (axis !== 0 || table.extents.length !== 2)
    throw context.error(
      'its indices depend on the inputs, so its data must be a table [ids, features], on axis 0',
    );
  const [inputDim, outputDim] = table.extents;
  const ref = context.writer.add({
    className: 'Embedding',
    config: { inputDim, outputDim },
    inputs: [indices.ref],
    weights: { embeddings: { shape: [inputDim, outputDim], values: table.values } },
    from: table.name,
  });
  const feature = newAxis(size(outputDim));
  return {
    ...indices,
    ref,
    stored: [...indices.stored, feature],
    seen: [...indices.seen, feature],
    type: 'float',
  };
}

function expand(context: NodeContext): Value[] {
  const value = context.input(0);
  const target = sizesFrom(context, 1, 'shape');
  if (!target) throw context.error('the shape is missing');
  const from = shapeOf(value);
  const rank = Math.max(from.length, target.length);
  const shape = Array.from({ length: rank }, (_, d): Dimension => {
    const [own, wanted] = [
      from[d - rank + from.length] ?? size(1),
      target[d - rank + target.length] ?? size(1),
    ];
    return known(own) === 1 ? wanted : own;
  });
  checkSizes(context, shape);
  if (value.kind === 'sizes') throw context.error('it repeats unknown sizes');
  if (value.kind === 'constant') return [{ ...value, shape }];
  return [broadcast(context, value, shape)];
}

/** Repeats a tensor of the model along axes of size 1. */
function broadcast(context: NodeContext, tensor: ModelTensor, shape: readonly Dimension[]): Value {
  const lead = shape.length - tensor.seen.length;
  const seen: Axis[] = [...new Array<Axis>(lead).fill([]), ...tensor.seen.map(current)];
  const added = shape.flatMap((extent, d) => (seen[d].length === 0 && known(extent) !== 1 ? [d] : []));
  if (added.length === 0) return { ...tensor, seen };
  const sizes = added.map((d) => known(shape[d]));
  if (sizes.includes(null)) throw context.error('it repeats a tensor an unknown number of times');
  const stored = tensor.stored.map(current);
  const wider = context.writer.arrange(tensor, [stored[0], ...added.map(() => []), ...stored.slice(1)]);
  const extents = [...sizes, ...stored.slice(1).map((_, i) => ({ axis: 1 + added.length + i }))];
  const ref = context.writer.operation({ operation: 'broadcast', shape: extents }, [wider.ref]);
  const atoms = added.map((d) => newAxis(shape[d]));
  return {
    ...tensor,
    ref,
    stored: [stored[0], ...atoms, ...stored.slice(1)],
    seen: seen.map((axis, d) => (added.includes(d) ? atoms[added.indexOf(d)] : axis)),
  };
}

function pad(context: NodeContext): Value[] {
  const mode = context.text('mode', 'constant');
  if (mode !== 'constant') throw context.error(`the mode ${mode} is not supported`);
  const pads = numbersFrom(context, 1, 'pads') ?? context.numbers('paddings', []);
  const given = context.optionalConstant(2, 'the value')?.values[0] ?? context.number('value', 0);
  let value = context.tensor(0);
  const axes = (numbersFrom(context, 3, 'axes') ?? value.seen.map((_, d) => d)).map((axis) =>
    context.axis(axis, value.seen.length),
  );
  axes.forEach((axis, i) => {
    const [before, after] = [pads[i], pads[i + axes.length]];
    if (before || after) value = padded(context, value, axis, before, after, given);
  });
  return [value];
}

/** Adds elements before and after an axis. Negative numbers remove elements. */
export function padded(
  context: NodeContext,
  tensor: ModelTensor,
  axis: number,
  before: number,
  after: number,
  value = 0,
): ModelTensor {
  if (before < 0 || after < 0) throw context.error('a negative padding is not supported');
  context.rejectBatch(tensor.seen[axis], 'it pads');
  const { tensor: own, at } = isolate(context, tensor, axis);
  const numbers = { axis: at, before, after, ...(value !== 0 && { alpha: value }) };
  const ref = context.writer.operation({ operation: 'pad', ...numbers }, [own.ref]);
  const extent = computed('+', axisSize(own.seen[axis]), size(before + after), (a, b) => a + b);
  return replaceAxis(own, axis, at, ref, extent);
}

function shapeNode(context: NodeContext): Value[] {
  const shape = shapeOf(context.input(0));
  const [start, end] = [context.number('start', 0), context.number('end', shape.length)];
  return [simplified(asSizes(shape.slice(start, end)))];
}

function sizeNode(context: NodeContext): Value[] {
  return [simplified(asSizes([product(shapeOf(context.input(0)))], true))];
}

/** Repeats axes of size 1. */
function tile(context: NodeContext): Value[] {
  const value = context.input(0);
  const repeats = sizesFrom(context, 1, '');
  const shape = shapeOf(value);
  if (!repeats || repeats.length !== shape.length) throw context.error('the repeats are missing');
  checkSizes(context, repeats);
  if (repeats.some((count, d) => known(count) !== 1 && known(shape[d]) !== 1))
    throw context.error('it repeats an axis whose size is not 1');
  const wider = shape.map((extent, d) => (known(extent) === 1 ? repeats[d] : extent));
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

/** @throws UnrollError `value` for a shape with negative sizes */
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

/** An operator that PyTorch wrote before version 9. */
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
  const [start, limit, delta] = [0, 1, 2].map((i) => context.constant(i, 'the range').values[0]);
  const count = Math.max(0, Math.ceil((limit - start) / delta));
  checkCount(count, 0);
  const values: FloatArray = Float64Array.from({ length: count }, (_, i) => start + i * delta);
  return [constantOf([count], values, context.input(0).type)];
}

export const structure: Record<string, Operator> = {
  Concat: { becomes: 'Concatenate', attributes: ['axis'], convert: concat },
  Constant: {
    becomes: 'a constant',
    attributes: ['value', 'value_float', 'value_int', 'value_floats', 'value_ints'],
    convert: constantNode,
  },
  ConstantFill: {
    becomes: 'a constant',
    attributes: ['dtype', 'extra_shape', 'input_as_shape', 'shape', 'value'],
    convert: constantFill,
    note: 'of PyTorch with opset 7 and 8',
  },
  ConstantOfShape: { becomes: 'a constant', attributes: ['value'], convert: constantOfShape },
  Expand: { becomes: 'TensorOperation broadcast', attributes: [], convert: expand },
  Flatten: { becomes: 'Reshape, if needed', attributes: ['axis'], convert: flatten },
  Gather: { becomes: 'Embedding, or TensorOperation take', attributes: ['axis'], convert: gather },
  Identity: { becomes: 'nothing', attributes: [], convert: identity },
  Pad: { becomes: 'TensorOperation pad', attributes: ['mode', 'pads', 'paddings', 'value'], convert: pad },
  Range: { becomes: 'a constant', attributes: [], convert: range },
  Reshape: { becomes: 'Reshape, if needed', attributes: ['shape', 'allowzero'], convert: reshape },
  Shape: { becomes: 'a constant', attributes: ['start', 'end'], convert: shapeNode },
  Size: { becomes: 'a constant', attributes: [], convert: sizeNode },
  Slice: { becomes: 'TensorOperation slice', attributes: ['starts', 'ends', 'axes'], convert: slice },
  Split: { becomes: 'TensorOperation slice', attributes: ['axis', 'split', 'num_outputs'], convert: split },
  Squeeze: { becomes: 'Reshape, if needed', attributes: ['axes'], convert: squeeze },
  Tile: { becomes: 'TensorOperation broadcast', attributes: [], convert: tile, note: 'axes of size 1' },
  Transpose: { becomes: 'Permute, if needed', attributes: ['perm'], convert: transpose },
  Unsqueeze: { becomes: 'Reshape, if needed', attributes: ['axes'], convert: unsqueeze },
};
