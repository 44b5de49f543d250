/** Converts normalisation, softmax and reductions. For axes and atoms, see ../values.ts. */
import type { FloatArray } from '@unroll/core';
import { strided, stridesOf } from '../arrays.js';
import type { NodeContext } from '../context.js';
import { knownSize, product } from '../dimensions.js';
import { isolate, withLast } from '../layout.js';
import {
  type Axis,
  axisSize,
  type Constant,
  constantOf,
  current,
  fullValues,
  type ModelTensor,
  shapeOf,
  sizesOf,
  type Value,
} from '../values.js';
import { activate } from './elementwise.js';
import type { Operator } from './operator.js';
import { numbersFrom, simplified } from './structure.js';

function softmax(activation: string): Operator['convert'] {
  return (context) => {
    const value = context.tensor(0);
    const rank = value.onnxAxes.length;
    const axis = context.axis(context.number('axis', context.opset < 13 ? 1 : -1), rank);
    // Before opset 13, all axes from `axis` on are normalised together.
    const merged = context.opset < 13 ? value.onnxAxes.slice(axis).flat() : current(value.onnxAxes[axis]);
    context.rejectBatch(merged, 'it normalises over');
    const joined = context.opset < 13 ? [...value.onnxAxes.slice(0, axis), merged] : value.onnxAxes;
    const aligned = withLast(context, { ...value, onnxAxes: joined }, Math.min(axis, joined.length - 1));
    return [{ ...activate(context, aligned, activation), onnxAxes: value.onnxAxes }];
  };
}

function layerNormalization(context: NodeContext): (Value | undefined)[] {
  const value = context.tensor(0);
  const rank = value.onnxAxes.length;
  const axis = context.axis(context.number('axis', -1), rank);
  if (context.isOutputRead(1) || context.isOutputRead(2))
    throw context.error('its outputs Mean and InvStdDev are not supported');
  const scale = context.optionalConstant(1, 'the scale');
  const bias = context.optionalConstant(2, 'the bias');
  let aligned = value;
  for (let d = axis; d < rank; d++) {
    context.rejectBatch(value.onnxAxes[d], 'it normalises over');
    aligned = withLast(context, aligned, d);
  }
  const shape = value.onnxAxes.slice(axis).map((extent) => knownSize(axisSize(extent)) ?? -1);
  if (shape.includes(-1)) throw context.error('it normalises over an axis of unknown size');
  const epsilon = context.number('epsilon', 1e-5);
  const axes = shape.length === 1 ? -1 : shape.map((_, d) => d - shape.length);
  const weightOf = (constant: Constant): { shape: number[]; values: FloatArray } => ({
    shape,
    values: spread(context, constant.extents, constant.values, shape),
  });
  const ref = context.writer.add({
    className: 'LayerNormalization',
    config: { axis: axes, epsilon, ...(!scale && { scale: false }), ...(!bias && { center: false }) },
    inputs: [aligned.ref],
    weights: { ...(scale && { gamma: weightOf(scale) }), ...(bias && { beta: weightOf(bias) }) },
    from: scale?.name ?? context.node.label,
  });
  return [{ ...aligned, ref }];
}

/** Broadcasts an array to a shape. */
function spread(
  context: NodeContext,
  extents: readonly number[],
  values: Float32Array | Float64Array,
  shape: readonly number[],
): Float32Array | Float64Array {
  const paddedExtents = [
    ...new Array<number>(Math.max(0, shape.length - extents.length)).fill(1),
    ...extents,
  ];
  if (
    paddedExtents.length !== shape.length ||
    paddedExtents.some((extent, d) => extent !== 1 && extent !== shape[d])
  )
    throw context.error(`a weight has the shape [${extents.join(', ')}], expected [${shape.join(', ')}]`);
  const strides = stridesOf(paddedExtents).map((stride, d) => (paddedExtents[d] === 1 ? 0 : stride));
  return strided(values, shape, strides);
}

function batchNormalization(context: NodeContext): (Value | undefined)[] {
  const value = context.tensor(0);
  if (context.number('training_mode', 0) !== 0) throw context.error('its training mode is not supported');
  if (context.number('spatial', 1) !== 1) throw context.error('spatial must be 1');
  if (value.onnxAxes.length < 2) throw context.error('X must have a channel axis');
  context.rejectBatch(value.onnxAxes[1], 'it normalises');
  const { tensor, at } = isolate(context, value, 1);
  const channels = knownSize(axisSize(value.onnxAxes[1])) ?? -1;
  const names = ['gamma', 'beta', 'moving_mean', 'moving_variance'];
  const weights = Object.fromEntries(
    names.map((name, i) => {
      const { values } = context.constant(i + 1, name);
      if (values.length !== channels)
        throw context.error(`${name} has ${values.length} elements, expected ${channels}`);
      return [name, { shape: [channels], values }];
    }),
  );
  const isLast = at === tensor.modelAxes.length - 1;
  const ref = context.writer.add({
    className: 'BatchNormalization',
    config: {
      axis: isLast ? -1 : at,
      epsilon: context.number('epsilon', 1e-5),
      momentum: context.number('momentum', 0.9),
    },
    inputs: [tensor.ref],
    weights,
    from: context.node.label,
  });
  return [{ ...tensor, ref }];
}

function reduce(operation: string): Operator['convert'] {
  return (context) => {
    const value = context.input(0);
    const rank = shapeOf(value).length;
    const listedAxes = numbersFrom(context, 1, 'axes');
    if (!listedAxes?.length && context.number('noop_with_empty_axes', 0) !== 0) return [value];
    const axes = listedAxes?.length
      ? listedAxes.map((axis) => context.axis(axis, rank))
      : Array.from({ length: rank }, (_, d) => d);
    const keepDims = context.number('keepdims', 1) !== 0;
    if (value.kind !== 'tensor') return [reduceConstant(context, value, operation)];
    return [reduceTensor(context, context.tensor(0), { operation, axes, keepDims })];
  };
}

/** Reduces a constant vector. Except for products of sizes, it may have at most 64 elements. */
function reduceConstant(context: NodeContext, value: Value, operation: string): Value {
  const sizes = sizesOf(value);
  const keepsAxis = context.number('keepdims', 1) !== 0 && shapeOf(value).length === 1;
  if (operation === 'prod' && sizes)
    return simplified({ kind: 'sizes', isScalar: !keepsAxis, sizes: [product(sizes)], type: value.type });
  const values = fullValues(value);
  const compute: Readonly<Record<string, (list: number[]) => number>> = {
    sum: (list) => list.reduce((a, b) => a + b, 0),
    max: (list) => Math.max(...list),
    min: (list) => Math.min(...list),
  };
  if (!values || values.length > 64 || shapeOf(value).length > 1 || !Object.hasOwn(compute, operation))
    throw context.error('it reduces a constant, which is not supported');
  return constantOf(keepsAxis ? [1] : [], Float64Array.of(compute[operation]([...values])), value.type);
}

/** The layers that reduce the steps of sequences, by operation. */
const POOLING: Readonly<Record<string, string>> = {
  mean: 'GlobalAveragePooling1D',
  max: 'GlobalMaxPooling1D',
};

/** Reduces axes of a tensor of the model. Over axes of size 1, only norms and squares change the values. */
export function reduceTensor(
  context: NodeContext,
  value: ModelTensor,
  { operation, axes, keepDims }: { operation: string; axes: readonly number[]; keepDims: boolean },
): ModelTensor {
  if (operation === 'prod') throw context.error('products of elements are not supported');
  const reducedAtoms = axes.flatMap((axis) => [...current(value.onnxAxes[axis])]);
  context.rejectBatch(reducedAtoms, 'it reduces');
  const onnxAxes = value.onnxAxes.map((axis, d) => (axes.includes(d) ? [] : current(axis)));
  const remaining = keepDims ? onnxAxes : onnxAxes.filter((_, d) => !axes.includes(d));
  if (
    reducedAtoms.length === 0 &&
    operation !== 'norm2' &&
    operation !== 'sumSquare' &&
    operation !== 'norm1'
  )
    return { ...value, onnxAxes: remaining };
  const split = value.modelAxes.flatMap((axis): Axis[] => {
    const atoms = current(axis);
    const count = atoms.filter((atom) => reducedAtoms.includes(atom)).length;
    return count === 0 || count === atoms.length ? [atoms] : atoms.map((atom) => [atom]);
  });
  const arranged = context.writer.arrange(value, split);
  const reducedAxes = arranged.modelAxes.flatMap((axis, d) =>
    axis.some((atom) => reducedAtoms.includes(atom)) ? [d] : [],
  );
  const modelAxes = arranged.modelAxes.filter((_, d) => !reducedAxes.includes(d));
  const isPooling =
    arranged.modelAxes.length === 3 && reducedAxes.join() === '1' && Object.hasOwn(POOLING, operation);
  const ref = isPooling
    ? context.writer.add({ className: POOLING[operation], config: {}, inputs: [arranged.ref] })
    : context.writer.operation({ operation, axes: reducedAxes }, [arranged.ref]);
  return { ...arranged, ref, modelAxes, onnxAxes: remaining };
}

/** Returns the conversion of pooling over all steps. X is [batch, channels, steps, ...]. */
function globalPooling(operation: string): Operator['convert'] {
  return (context) => {
    const value = context.tensor(0);
    const axes = value.onnxAxes.flatMap((_, d) => (d < 2 ? [] : [d]));
    return [reduceTensor(context, value, { operation, axes, keepDims: true })];
  };
}

const reductions = Object.entries({
  ReduceL1: 'norm1',
  ReduceL2: 'norm2',
  ReduceLogSumExp: 'logSumExp',
  ReduceMax: 'max',
  ReduceMean: 'mean',
  ReduceMin: 'min',
  ReduceProd: 'prod',
  ReduceSum: 'sum',
  ReduceSumSquare: 'sumSquare',
}).map(([op, operation]): [string, Operator] => [
  op,
  {
    becomes: `${Object.hasOwn(POOLING, operation) ? `${POOLING[operation]}, or ` : ''}TensorOperation ${operation}`,
    attributes: ['axes', 'keepdims', 'noop_with_empty_axes'],
    convert: reduce(operation),
    ...(operation === 'prod' && { becomes: 'a constant', note: 'only for products of axis sizes' }),
  },
]);

export const normalization: Record<string, Operator> = {
  BatchNormalization: {
    becomes: 'BatchNormalization',
    attributes: ['epsilon', 'momentum', 'training_mode', 'spatial'],
    convert: batchNormalization,
    note: 'inference',
  },
  GlobalAveragePool: { becomes: 'GlobalAveragePooling1D', attributes: [], convert: globalPooling('mean') },
  GlobalMaxPool: { becomes: 'GlobalMaxPooling1D', attributes: [], convert: globalPooling('max') },
  LayerNormalization: {
    becomes: 'LayerNormalization',
    attributes: ['axis', 'epsilon', 'stash_type'],
    convert: layerNormalization,
  },
  LogSoftmax: { becomes: 'Activation logSoftmax', attributes: ['axis'], convert: softmax('logSoftmax') },
  Softmax: { becomes: 'Activation softmax', attributes: ['axis'], convert: softmax('softmax') },
  ...Object.fromEntries(reductions),
};
