/** Converts nodes that select, join or pad elements. For axes and atoms, see ../values.ts. */
import { batchReplacements, constantOperand, mergeAxes, replaceAtoms } from '../align.js';
import { checkCount, joined, taken } from '../arrays.js';
import type { NodeContext } from '../context.js';
import { computed, type Dimension, knownSize, size } from '../dimensions.js';
import { isolate } from '../layout.js';
import {
  type Axis,
  axisSize,
  broadcastValues,
  type Constant,
  constantOf,
  current,
  fullValues,
  type ModelTensor,
  newAxis,
  type Reference,
  shapeOf,
  sizesOf,
  type Value,
} from '../values.js';
import type { Operator } from './operator.js';
import { asSizes, fullConstant, numbersFrom, reshaped, simplified } from './structure.js';

/** Returns the elements of a value at indices along an axis. */
function select(context: NodeContext, value: Value, axis: number, indices: readonly number[]): Value {
  if (value.kind === 'sizes') return simplified(asSizes(indices.map((index) => value.sizes[index])));
  if (value.kind === 'constant') {
    const shape = value.shape.toSpliced(axis, 1, size(indices.length));
    const at = axis - value.shape.length + value.extents.length;
    const { extents, values } = (value.extents[at] ?? 1) === 1 ? value : taken(value, at, indices);
    return { ...value, extents, values, shape, name: '' };
  }
  const constant = fullConstant(context, value);
  const { extents, values } = taken(constant, axis, indices);
  return constantOf(extents, values, constant.type);
}

/** Returns true for ends that mean "until the end of the axis", such as the largest int32 or int64. */
const isOpenEnd = (end: number): boolean => end >= 2 ** 31 - 1;

/** Returns the elements of an axis from `start` up to, but not including, `end` with this step. */
export function sliced(
  context: NodeContext,
  value: Value,
  axis: number,
  { start, end, step = 1 }: { start: number; end: number; step?: number },
): Value {
  const extent = shapeOf(value)[axis];
  const length = knownSize(extent);
  const range = length === null ? null : sliceRange(length, start, end, step);
  if (value.kind !== 'tensor') {
    if (!range) throw context.error('it slices a constant of unknown size');
    if (range.count === length && step === 1) return value;
    return select(context, value, axis, indicesOf(range));
  }
  const isWhole = range?.count === length && step === 1;
  if (isWhole || (length === null && start === 0 && isOpenEnd(end) && step === 1)) return value;
  context.rejectBatch(value.onnxAxes[axis], 'it slices');
  if (step !== 1) return strideSlice(context, value, axis, { range, length, start, step });
  if (current(value.onnxAxes[axis]).length === 0) throw context.error('it returns no elements');
  if (range?.count === 0) throw context.error('it returns no elements');
  if (range?.count === 1 || (length === null && start === -1 && isOpenEnd(end))) {
    const element = takeFrom(context, value, axis, range ? range.from : -1) as ModelTensor;
    return { ...element, onnxAxes: element.onnxAxes.toSpliced(axis, 0, []) };
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
  if (!range) throw context.error(`it slices an axis of unknown size with the step ${step}`);
  const indices = indicesOf(range);
  const ref = context.writer.operation({ operation: 'take', axis: at, indices }, [tensor.ref]);
  return replaceAxis(tensor, axis, at, ref, size(indices.length));
}

/** Returns the size of a slice of an axis of unknown size. */
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

/** Returns the tensor of a layer that changes the size of an axis. @param at index of the model axis */
export function replaceAxis(
  tensor: ModelTensor,
  axis: number,
  at: number,
  ref: Reference,
  extent: Dimension,
): ModelTensor {
  const replacement = newAxis(extent);
  return {
    ...tensor,
    ref,
    modelAxes: tensor.modelAxes.toSpliced(at, 1, replacement),
    onnxAxes: tensor.onnxAxes.toSpliced(axis, 1, replacement),
  };
}

function slice(context: NodeContext): Value[] {
  let value = context.input(0);
  const rank = shapeOf(value).length;
  const starts = numbersFrom(context, 1, 'starts') ?? [];
  const ends = numbersFrom(context, 2, 'ends') ?? [];
  const axes = numbersFrom(context, 3, 'axes') ?? starts.map((_, i) => i);
  const steps = numbersFrom(context, 4, 'steps') ?? starts.map(() => 1);
  if ([ends, axes, steps].some(({ length }) => length !== starts.length) || steps.includes(0))
    throw context.error('its starts, ends, axes or steps are invalid');
  starts.forEach((start, i) => {
    value = sliced(context, value, context.axis(axes[i], rank), { start, end: ends[i], step: steps[i] });
  });
  return [value];
}

function split(context: NodeContext): Value[] {
  const value = context.input(0);
  const shape = shapeOf(value);
  const axis = context.axis(context.number('axis', 0), shape.length);
  const count = context.node.outputs.length;
  const length = knownSize(shape[axis]);
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

/** Joins constants along `axis`. Along the other axes, which may have unknown sizes, a constant may repeat. */
function concatConstants(context: NodeContext, constants: readonly Constant[], axis: number): Constant {
  const [{ shape, type }] = constants;
  const padded = constants.map(({ extents, shape: constantShape }) => [
    ...new Array<number>(constantShape.length - extents.length).fill(1),
    ...extents,
  ]);
  const common = shape.map((_, d) => Math.max(...padded.map((extents) => extents[d] ?? 1)));
  const arrays = constants.map(({ values, extents, shape: constantShape }, i) => {
    const count = knownSize(constantShape[axis]);
    if (count === null || constantShape.length !== shape.length)
      throw context.error('it joins constants of unknown size');
    const target = common.with(axis, count);
    if (padded[i].some((extent, d) => extent !== 1 && extent !== target[d]))
      throw context.error('the shapes of its constants do not match');
    return { extents: target, values: broadcastValues(values, extents, target) };
  });
  const { extents, values } = joined(arrays, axis);
  return { kind: 'constant', extents, values, shape: shape.with(axis, size(extents[axis])), type, name: '' };
}

function concatTensors(context: NodeContext, values: readonly Value[], axis: number): Value {
  const tensors = values.map((value) => {
    if (value.kind !== 'tensor') throw context.error('it joins constants with tensors of the model');
    context.rejectBatch(value.onnxAxes[axis], 'it joins sequences along');
    return value;
  });
  const replacements = batchReplacements(tensors);
  const withoutAxis = (tensor: ModelTensor): ModelTensor => ({
    ...tensor,
    onnxAxes: tensor.onnxAxes.toSpliced(axis, 1, []),
  });
  const onnxAxes: Axis[] = tensors[0].onnxAxes.map(() => []);
  for (const tensor of tensors) mergeAxes(context, onnxAxes, withoutAxis(tensor), replacements);
  const inputs = tensors.map((tensor) => replaceAtoms(tensor, replacements));
  const { tensor: base, at } = isolate(context, inputs[0], axis);
  const refs = inputs.map((tensor, i) =>
    i === 0
      ? base.ref
      : context.writer.arrange(tensor, base.modelAxes.toSpliced(at, 1, current(tensor.onnxAxes[axis]))).ref,
  );
  const ref = context.writer.add({ className: 'Concatenate', config: { axis: at }, inputs: refs });
  const extent = tensors
    .map((tensor) => axisSize(tensor.onnxAxes[axis]))
    .reduce((a, b) => computed('+', a, b, (x, y) => x + y));
  return replaceAxis({ ...base, onnxAxes: base.onnxAxes.map(current) }, axis, at, ref, extent);
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
  const extent = knownSize(shapeOf(value)[axis]);
  const list = Array.from(numbers, (index) => (index < 0 && extent !== null ? index + extent : index));
  if (extent !== null && list.some((index) => !(index >= 0 && index < extent)))
    throw context.error(`the indices must be from ${-extent} to ${extent - 1}`);
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
  // An axis of size 1, such as a batch that the file fixes to one sequence, needs no layer to select its element.
  if (knownSize(shapeOf(value)[axis]) === 1) {
    if (isScalar) return { ...value, onnxAxes: value.onnxAxes.toSpliced(axis, 1) };
    if (indices.length === 1) return value;
  }
  context.rejectBatch(value.onnxAxes[axis], 'it selects from');
  const { tensor, at } = isolate(context, value, axis);
  if (isScalar && returnLastStep(context, tensor, axis, at, indices))
    return {
      ...tensor,
      modelAxes: tensor.modelAxes.toSpliced(at, 1),
      onnxAxes: tensor.onnxAxes.toSpliced(axis, 1),
    };
  const ref = context.writer.operation({ operation: 'take', axis: at, indices }, [tensor.ref]);
  if (!isScalar) return replaceAxis(tensor, axis, at, ref, size(indices.length));
  return {
    ...tensor,
    ref,
    modelAxes: tensor.modelAxes.toSpliced(at, 1),
    onnxAxes: tensor.onnxAxes.toSpliced(axis, 1),
  };
}

/** Makes a recurrent layer return only its last step. Returns false if this is impossible, or if another step is read. */
function returnLastStep(
  context: NodeContext,
  tensor: ModelTensor,
  axis: number,
  at: number,
  index: number,
): boolean {
  const { writer } = context;
  const { config } = writer.layerOf(tensor.ref);
  const steps = knownSize(axisSize(tensor.onnxAxes[axis]));
  const isLast = index === -1 || (steps !== null && index === steps - 1);
  const isForward = config.returnSequences === true && !config.goBackwards && !config.layer;
  const hasNoOtherReader = tensor.ref[1] === 0 && !writer.isShared(tensor.ref) && context.isOnlyReader(0);
  if (at !== 1 || !isLast || !isForward || !hasNoOtherReader) return false;
  config.returnSequences = false;
  return true;
}

function embedding(context: NodeContext, indices: ModelTensor, axis: number): Value {
  const table = context.constant(0, 'the table');
  if (axis !== 0 || table.extents.length !== 2)
    throw context.error(
      'its indices depend on the inputs, so its data must be a table [ids, features], and its axis must be 0',
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
    modelAxes: [...indices.modelAxes, feature],
    onnxAxes: [...indices.onnxAxes, feature],
    type: 'float',
  };
}

function pad(context: NodeContext): Value[] {
  const mode = context.text('mode', 'constant');
  if (mode !== 'constant') throw context.error(`the mode ${mode} is not supported`);
  const pads = numbersFrom(context, 1, 'pads') ?? context.numbers('paddings', []);
  const padValue = context.optionalConstant(2, 'the value')?.values[0] ?? context.number('value', 0);
  let value = context.tensor(0);
  const axes = (numbersFrom(context, 3, 'axes') ?? value.onnxAxes.map((_, d) => d)).map((axis) =>
    context.axis(axis, value.onnxAxes.length),
  );
  if (pads.length !== 2 * axes.length)
    throw context.error(`it must have ${2 * axes.length} pads for ${axes.length} axes, got ${pads.length}`);
  axes.forEach((axis, i) => {
    const [before, after] = [pads[i], pads[i + axes.length]];
    if (before || after) value = padded(context, value, axis, before, after, padValue);
  });
  return [value];
}

/** Adds elements at the start and the end of an axis. @throws UnrollError `value` for a negative number */
export function padded(
  context: NodeContext,
  tensor: ModelTensor,
  axis: number,
  before: number,
  after: number,
  value = 0,
): ModelTensor {
  if (before < 0 || after < 0) throw context.error('a negative padding is not supported');
  context.rejectBatch(tensor.onnxAxes[axis], 'it pads');
  const { tensor: isolated, at } = isolate(context, tensor, axis);
  const numbers = { axis: at, before, after, ...(value !== 0 && { alpha: value }) };
  const ref = context.writer.operation({ operation: 'pad', ...numbers }, [isolated.ref]);
  const extent = computed('+', axisSize(isolated.onnxAxes[axis]), size(before + after), (a, b) => a + b);
  return replaceAxis(isolated, axis, at, ref, extent);
}

function cumulativeSum(context: NodeContext): Value[] {
  const value = context.tensor(0);
  const [signedAxis] = numbersFrom(context, 1, 'axis') ?? [];
  if (signedAxis === undefined) throw context.error('the axis is missing');
  const axis = context.axis(signedAxis, value.onnxAxes.length);
  context.rejectBatch(value.onnxAxes[axis], 'it adds along');
  const exclusive = context.number('exclusive', 0) !== 0;
  if (knownSize(axisSize(value.onnxAxes[axis])) === 1 && !exclusive) return [value];
  const { tensor, at } = isolate(context, value, axis);
  const flags = {
    ...(exclusive && { exclusive }),
    ...(context.number('reverse', 0) !== 0 && { fromEnd: true }),
  };
  const ref = context.writer.operation({ operation: 'cumulativeSum', axis: at, ...flags }, [tensor.ref]);
  return [{ ...tensor, ref }];
}

export const selection: Record<string, Operator> = {
  Concat: { becomes: 'Concatenate', attributes: ['axis'], convert: concat },
  CumSum: {
    becomes: 'TensorOperation cumulativeSum',
    attributes: ['exclusive', 'reverse'],
    convert: cumulativeSum,
  },
  Gather: { becomes: 'Embedding, or TensorOperation take', attributes: ['axis'], convert: gather },
  Pad: { becomes: 'TensorOperation pad', attributes: ['mode', 'pads', 'paddings', 'value'], convert: pad },
  Slice: { becomes: 'TensorOperation slice', attributes: ['starts', 'ends', 'axes'], convert: slice },
  Split: { becomes: 'TensorOperation slice', attributes: ['axis', 'split', 'num_outputs'], convert: split },
};
