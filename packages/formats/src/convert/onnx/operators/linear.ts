/** Converts matrix products. A product with a constant matrix becomes a Dense layer. For axes and atoms, see ../values.ts. */
import type { FloatArray } from '@unroll/core';
import { batchReplacements, constantOperand, mergeAxes, replaceAtoms } from '../align.js';
import { transposed } from '../arrays.js';
import type { NodeContext } from '../context.js';
import { formatDimension, knownSize, size } from '../dimensions.js';
import { withLast } from '../layout.js';
import {
  type Axis,
  axisSize,
  broadcastValues,
  type Constant,
  current,
  type ModelTensor,
  newAxis,
  type Value,
} from '../values.js';
import { BINARY, combine } from './elementwise.js';
import type { Operator } from './operator.js';

interface Weights {
  /** [inputs, units] */
  kernel: FloatArray;
  units: number;
  bias?: FloatArray | undefined;
  from: string;
}

/** Adds a Dense layer that multiplies an axis of a tensor by a matrix. The axis then has `units` elements. */
function dense(
  context: NodeContext,
  tensor: ModelTensor,
  axis: number,
  { kernel, units, bias, from }: Weights,
): ModelTensor {
  const extent = axisSize(tensor.onnxAxes[axis]);
  const inputs = knownSize(extent);
  if (inputs === null || inputs * units !== kernel.length)
    throw context.error(
      `the matrix has ${kernel.length / units} rows, but the other input has ${formatDimension(extent)} features`,
    );
  context.rejectBatch(tensor.onnxAxes[axis], 'it multiplies matrices over');
  const aligned = withLast(context, tensor, axis);
  const ref = context.writer.add({
    className: 'Dense',
    config: { units, useBias: bias !== undefined },
    inputs: [aligned.ref],
    weights: {
      kernel: { shape: [inputs, units], values: kernel },
      ...(bias && { bias: { shape: [units], values: bias } }),
    },
    from,
  });
  const feature = newAxis(size(units));
  return {
    ...{ kind: 'tensor', ref, type: 'float' },
    modelAxes: aligned.modelAxes.toSpliced(-1, 1, feature),
    onnxAxes: aligned.onnxAxes.toSpliced(axis, 1, feature),
  };
}

function matmul(context: NodeContext): Value[] {
  const [a, b] = [context.input(0), context.input(1)];
  if (a.kind === 'tensor' && b.kind === 'tensor')
    return [product(context, context.tensor(0), context.tensor(1))];
  if (a.kind === 'tensor') {
    const { extents, values, name } = matrix(context, 1);
    const isVector = extents.length === 1;
    const units = isVector ? 1 : extents[1];
    const last = a.onnxAxes.length - 1;
    const y = dense(context, context.tensor(0), last, { kernel: values, units, from: name });
    return [isVector ? { ...y, onnxAxes: y.onnxAxes.slice(0, -1) } : y];
  }
  if (b.kind !== 'tensor') return [constantProduct(context, constantOperand(context, a))];
  const left = matrix(context, 0);
  if (left.extents.length !== 2 || b.onnxAxes.length < 2)
    throw context.error(
      'a constant on the left must be a matrix, and the other input must have at least two axes',
    );
  const kernel = transposed(left, [1, 0]).values;
  const axis = b.onnxAxes.length - 2;
  return [dense(context, context.tensor(1), axis, { kernel, units: left.extents[0], from: left.name })];
}

/** Multiplies a constant, which may repeat along axes of unknown size, by a constant matrix. */
function constantProduct(context: NodeContext, a: Constant): Value {
  const b = matrix(context, 1);
  const [rows, columns] = b.extents;
  const leadingShape = a.shape.slice(0, -1);
  const leading = [...new Array<number>(a.shape.length - a.extents.length).fill(1), ...a.extents].slice(
    0,
    -1,
  );
  const left = broadcastValues(a.values, a.extents, [...leading, rows]);
  const last = a.shape.at(-1);
  if (b.extents.length !== 2 || !left || last === undefined || knownSize(last) !== rows)
    throw context.error('it multiplies constants whose shapes do not fit each other');
  const values = new Float64Array((left.length / rows) * columns);
  for (let i = 0; i < values.length; i++) {
    const row = Math.floor(i / columns) * rows;
    for (let k = 0; k < rows; k++) values[i] += left[row + k] * b.values[k * columns + (i % columns)];
  }
  return { ...a, extents: [...leading, columns], values, shape: [...leadingShape, size(columns)], name: '' };
}

/** Returns a constant of rank 1 or 2. Leading axes of size 1 are removed. */
function matrix(
  context: NodeContext,
  index: number,
): { extents: readonly number[]; values: FloatArray; name: string } {
  const { extents, values, name } = context.constant(index, 'a matrix');
  const trimmed = [...extents];
  while (trimmed.length > 2 && trimmed[0] === 1) trimmed.shift();
  if (trimmed.length === 1 || trimmed.length === 2) return { extents: trimmed, values, name };
  throw context.error('a constant must be one matrix, not several');
}

/** Multiplies two tensors of the model. A left tensor with one axis is a row, and a right tensor with one axis a column. */
function product(context: NodeContext, a: ModelTensor, b: ModelTensor): Value {
  const row: ModelTensor = a.onnxAxes.length === 1 ? { ...a, onnxAxes: [[], ...a.onnxAxes] } : a;
  const column: ModelTensor = b.onnxAxes.length === 1 ? { ...b, onnxAxes: [...b.onnxAxes, []] } : b;
  const y = matrixProduct(context, row, column);
  const last = y.onnxAxes.length - 1;
  const onnxAxes = y.onnxAxes.filter(
    (_, d) => !(row !== a && d === last - 1) && !(column !== b && d === last),
  );
  return { ...y, onnxAxes };
}

/** Multiplies two tensors of the model over their last two axes. */
function matrixProduct(context: NodeContext, a: ModelTensor, b: ModelTensor): ModelTensor {
  const rank = Math.max(a.onnxAxes.length, b.onnxAxes.length);
  if (a.onnxAxes.length !== rank || b.onnxAxes.length !== rank) {
    const padded = (tensor: ModelTensor): ModelTensor => ({
      ...tensor,
      onnxAxes: [...new Array<Axis>(rank - tensor.onnxAxes.length).fill([]), ...tensor.onnxAxes],
    });
    return matrixProduct(context, padded(a), padded(b));
  }
  const leadingAxes = (tensor: ModelTensor): Axis[] => tensor.onnxAxes.slice(0, -2).map(current);
  const common: Axis[] = Array.from({ length: rank - 1 }, () => []);
  const replacements = batchReplacements([a, b]);
  mergeAxes(context, common, { ...a, onnxAxes: [...leadingAxes(a), a.onnxAxes[rank - 1]] }, replacements);
  mergeAxes(context, common, { ...b, onnxAxes: [...leadingAxes(b), b.onnxAxes[rank - 2]] }, replacements);
  const [p, q] = [replaceAtoms(a, replacements), replaceAtoms(b, replacements)];
  const batch = current(p.modelAxes[0]);
  const leading = leadingAxes(p)
    .map((axis) => axis.filter((atom) => !batch.includes(atom)))
    .filter((axis) => axis.length > 0);
  const [m, k] = p.onnxAxes.slice(-2).map(current);
  const n = current(q.onnxAxes[rank - 1]);
  for (const axis of [m, k, n]) context.rejectBatch(axis, 'it multiplies matrices over');
  const left = context.writer.arrange(p, [batch, ...leading, m, k]);
  const right = context.writer.arrange(q, [batch, ...leading, k, n]);
  const ref = context.writer.operation({ operation: 'matmul' }, [left.ref, right.ref]);
  return {
    ...{ kind: 'tensor', ref, type: 'float' },
    modelAxes: [batch, ...leading, m, n],
    onnxAxes: [...leadingAxes(p), m, n],
  };
}

function gemm(context: NodeContext): Value[] {
  const [alpha, beta] = [context.number('alpha', 1), context.number('beta', 1)];
  const a = context.tensor(0);
  const b = context.constant(1, 'the matrix B');
  if (a.onnxAxes.length !== 2 || b.extents.length !== 2) throw context.error('its inputs must be matrices');
  const scaled = (values: FloatArray, factor: number): FloatArray =>
    factor === 1 ? values : values.map((value) => value * factor);
  const isTransposed = context.number('transB', 0) !== 0;
  const units = b.extents[isTransposed ? 0 : 1];
  const kernel = scaled(isTransposed ? transposed(b, [1, 0]).values : b.values, alpha);
  const axis = context.number('transA', 0) === 0 ? 1 : 0;
  const left = axis === 1 ? a : { ...a, onnxAxes: [a.onnxAxes[1], a.onnxAxes[0]] };
  const c = context.optional(2);
  if (c === null) return [dense(context, left, 1, { kernel, units, from: b.name })];
  const bias = context.constant(2, 'the matrix C');
  const row = biasRow(bias.extents, bias.values, units);
  if (!row) {
    const product = dense(context, left, 1, { kernel, units, from: b.name });
    return [combine(context, BINARY.Add, product, { ...bias, values: scaled(bias.values, beta) })];
  }
  return [dense(context, left, 1, { kernel, units, bias: scaled(row, beta), from: b.name })];
}

/** Returns the matrix C as a bias with one element per unit; null if it has several rows. */
function biasRow(extents: readonly number[], values: FloatArray, units: number): FloatArray | null {
  if (values.length === 1) return new Float32Array(units).fill(values[0]);
  return values.length === units && extents[extents.length - 1] === units ? values : null;
}

export const linear: Record<string, Operator> = {
  Gemm: {
    becomes: 'Dense',
    attributes: ['alpha', 'beta', 'transA', 'transB'],
    convert: gemm,
    note: 'with constant B and C',
  },
  MatMul: { becomes: 'Dense, or TensorOperation matmul', attributes: [], convert: matmul },
};
