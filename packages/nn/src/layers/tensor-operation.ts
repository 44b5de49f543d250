/**
 * `tensorOperation`: a layer that applies one tensor operation, for models imported from ONNX, whose graphs consist of
 * operations instead of layers. In models of your own, use the other layers, which handle masks. The outputs of this
 * layer have no masks.
 */
import {
  broadcastTo,
  concat,
  full,
  linearScan,
  type MaskedSequence,
  matmul,
  type Parameter,
  pad,
  permute,
  reshape,
  reverse,
  type Shape,
  slice,
  type Tensor,
} from '@unroll/core';
import { broadcastShapes, checkOptions, hostValues, nameHint } from '@unroll/core/internal';
import { Layer, type LayerOptions } from '../layer.js';
import { maskWhere } from '../masks.js';
import { LAYER } from '../option-names.js';
import {
  type ElementwiseName,
  elementwise,
  OPERANDS,
  type OperationNumbers,
  type ReductionName,
  reductions,
} from './operations.js';

/**
 * An operand. Null: the next input; a number: a constant (infinities as strings, for JSON); a shape: a weight of this
 * shape, named `operand_<i>`.
 */
export type Operand = null | number | 'Infinity' | '-Infinity' | Shape;
/** The extent of an axis: a number, -1 (inferred; at most one), or the extent of an axis of the (first) input. */
export type Extent = number | { axis: number };

export interface TensorOperationOptions extends LayerOptions, OperationNumbers {
  /**
   * The operation: a function of each element (`add`, `exp`, `where`, ...), a reduction (`sum`, `mean`, ...), or one of
   * - `reshape`, `broadcast`: to [batch, ...shape]
   * - `permute`: axis i of the output is axis order[i] of the input
   * - `slice`: the elements from start to end (exclusive) along an axis; `reverse`: all elements in reverse order
   * - `take`: the elements at `indices` along an axis; if `indices` is a number, the axis is removed
   * - `pad`: adds `before` elements at the start of an axis and `after` elements at its end, with the value alpha (default 0)
   * - `matmul`: the matrix product of two inputs, over their last two axes
   * - `constant`: the first operand, broadcast to [batch, ...shape] with the batch size of the input
   * - `cumulativeSum`: for each element, the sum of all elements up to it along an axis; `exclusive`: without the element
   *   itself; `fromEnd`: from the end of the axis
   * - `indices`: 0, 1, 2, ... along an axis of the input, [B, extent of the axis]
   * - `lengthMask`: 1 for steps before the length of the sequence, else 0, [B, T]; inputs: x [B, T, ...], lengths [B]
   * - `identity`: the input, without its mask
   */
  operation:
    | ElementwiseName
    | ReductionName
    | 'reshape'
    | 'broadcast'
    | 'permute'
    | 'slice'
    | 'take'
    | 'reverse'
    | 'pad'
    | 'matmul'
    | 'constant'
    | 'cumulativeSum'
    | 'indices'
    | 'lengthMask'
    | 'identity';
  /** Operands of elementwise operations and of `constant`. Default: the inputs. */
  operands?: readonly Operand[];
  /** Axes of a reduction, other than the batch. */
  axes?: readonly number[];
  /** Keep reduced axes, with size 1. Default false. */
  keepDims?: boolean;
  /** Shape without the batch axis. */
  shape?: readonly Extent[];
  order?: readonly number[];
  axis?: number;
  start?: number;
  end?: number;
  indices?: number | readonly number[];
  before?: number;
  after?: number;
  exclusive?: boolean;
  fromEnd?: boolean;
}

/** An operation that is neither elementwise nor a reduction. */
interface StructuralOperation {
  shape(inputs: readonly Shape[], options: TensorOperationOptions): Shape;
  compute(inputs: readonly Tensor[], options: TensorOperationOptions): Tensor;
  /**
   * Returns whether the output has a time axis; false: it is the same at every step of a stream; null: the operation cannot be
   * streamed, because it needs the whole sequence. Default: null if the operation applies to the time axis, else true.
   */
  streams?(options: TensorOperationOptions): boolean | null;
}

const withAxis = (shape: Shape, axis: number, extent: (old: number) => number): Shape =>
  shape.map((old, d) => (d === axis ? (old === -1 ? -1 : extent(old)) : old));
/** Returns the bounds of a slice, as in Python: negative bounds count from the end, and all are limited to the axis. */
const bounds = (extent: number, start = 0, end = extent): [number, number] => {
  const limit = (index: number): number => Math.min(Math.max(index < 0 ? index + extent : index, 0), extent);
  return [limit(start), Math.max(limit(start), limit(end))];
};
/** Returns the option `shape` as numbers, with the batch axis; -1 for an extent that is to be inferred. */
const targetShape = ([x]: readonly Shape[], { shape = [] }: TensorOperationOptions): number[] => [
  x[0],
  ...shape.map((extent) => (typeof extent === 'number' ? extent : x[extent.axis])),
];
/** Returns true if the option `shape` keeps the time axis in its position. */
const keepsTime = ({ shape = [] }: TensorOperationOptions): boolean => {
  const [time, ...rest] = shape;
  return (
    typeof time === 'object' &&
    time.axis === 1 &&
    rest.every((extent) => extent !== -1 && (typeof extent === 'number' || extent.axis !== 1))
  );
};

const structuralOperations: Record<string, StructuralOperation> = {
  identity: { shape: ([x]) => x, compute: ([x]) => x, streams: () => true },
  reshape: {
    shape: ([x], options) => {
      const target = targetShape([x], options);
      const product = (shape: Shape): number => shape.slice(1).reduce((size, extent) => size * extent, 1);
      const inferred = target.indexOf(-1, 1);
      if (inferred < 0 || x.slice(1).includes(-1)) return target;
      // The product of the target contains the factor -1 of the inferred extent.
      return withInferred(target, inferred, product(x) / -product(target));
    },
    compute: ([x], options) => reshape(x, targetShape([x.shape], options)),
    streams: (options) => keepsTime(options) || null,
  },
  broadcast: {
    shape: targetShape,
    compute: ([x], options) => broadcastTo(x, targetShape([x.shape], options)),
    streams: (options) => keepsTime(options) || null,
  },
  permute: {
    shape: ([x], { order = [] }) => order.map((d) => x[d]),
    compute: ([x], { order = [] }) => permute(x, order),
    streams: ({ order = [] }) => order[1] === 1 || null,
  },
  slice: {
    shape: ([x], { axis = 1, start, end }) =>
      withAxis(x, axis, (extent) => {
        const [from, to] = bounds(extent, start, end);
        return to - from;
      }),
    compute: ([x], { axis = 1, start, end }) => slice(x, axis, ...bounds(x.shape[axis], start, end)),
  },
  take: {
    shape: ([x], { axis = 1, indices = 0 }) =>
      typeof indices === 'number'
        ? x.toSpliced(axis, 1)
        : x.map((old, d) => (d === axis ? indices.length : old)),
    compute: ([x], { axis = 1, indices = 0 }) => takeAlong(x, axis, indices),
  },
  reverse: { shape: ([x]) => x, compute: ([x], { axis = 1 }) => reverse(x, axis) },
  pad: {
    shape: ([x], { axis = 1, before = 0, after = 0 }) => withAxis(x, axis, (old) => old + before + after),
    compute: ([x], options) => padWith(x, options),
  },
  matmul: {
    shape: ([a, b]) => [...a.slice(0, -1), b[b.length - 1]],
    compute: ([a, b]) => matmul(a, b),
    streams: () => null,
  },
  constant: {
    shape: targetShape,
    compute: ([x, value], options) => broadcastTo(value, targetShape([x.shape], options)),
    streams: (options) => keepsTime(options),
  },
  cumulativeSum: { shape: ([x]) => x, compute: ([x], options) => cumulativeSum(x, options) },
  indices: {
    shape: ([x], { axis = 1 }) => [x[0], x[axis]],
    compute: ([x], { axis = 1 }) =>
      cumulativeSum(full([x.shape[0], x.shape[axis]], 1), { operation: 'cumulativeSum', exclusive: true }),
    streams: () => null,
  },
  lengthMask: {
    shape: ([x]) => [x[0], x[1]],
    compute: ([x, lengths]) => maskOfLengths(x, lengths),
    streams: () => null,
  },
};

const withInferred = (shape: Shape, axis: number, extent: number): Shape =>
  shape.map((old, d) => (d === axis ? extent : old));

function maskOfLengths({ shape: [B, T] }: Tensor, lengths: Tensor): Tensor {
  const limits = hostValues(lengths, 'The lengths of sequences');
  return maskWhere(B, T, (row, step) => step < limits[row]);
}

/** Returns the cumulative sum along an axis: a linear scan over x as [batch, steps, units]. */
function cumulativeSum(x: Tensor, { axis = 1, exclusive, fromEnd = false }: TensorOperationOptions): Tensor {
  if (x.size === 0) return x;
  const order = x.shape.map((_, d) => (d === 1 ? axis : d === axis ? 1 : d));
  const moved = permute(x, order);
  const b = reshape(moved, [x.shape[0], x.shape[axis], -1]);
  const { y } = linearScan({ a: full(b.shape, 1), b }, { reverse: fromEnd });
  const sums = exclusive ? shifted(y, fromEnd) : y;
  return permute(reshape(sums, moved.shape), order);
}

/** Moves the steps of y [batch, steps, units] by one, back if `fromEnd`, and fills up with 0. */
function shifted(y: Tensor, fromEnd: boolean): Tensor {
  const [B, T, K] = y.shape;
  const zero = full([B, 1, K], 0);
  if (T === 1) return zero;
  return fromEnd ? concat([slice(y, 1, 1, T), zero], 1) : concat([zero, slice(y, 1, 0, T - 1)], 1);
}

function takeAlong(x: Tensor, axis: number, indices: number | readonly number[]): Tensor {
  const extent = x.shape[axis];
  const sliceAt = (index: number): Tensor => {
    const from = index < 0 ? index + extent : index;
    return slice(x, axis, from, from + 1);
  };
  if (typeof indices === 'number') return reshape(sliceAt(indices), x.shape.toSpliced(axis, 1));
  return concat(indices.map(sliceAt), axis);
}

function padWith(x: Tensor, { axis = 1, before = 0, after = 0, alpha = 0 }: TensorOperationOptions): Tensor {
  if (alpha === 0) return pad(x, axis, before, after);
  const padding = (count: number): Tensor => full(x.shape.toSpliced(axis, 1, count), alpha);
  return concat([padding(before), x, padding(after)], axis);
}

export class TensorOperation extends Layer<TensorOperationOptions> {
  static override readonly className = 'TensorOperation';
  readonly #weights: Parameter[] = [];

  constructor(options: TensorOperationOptions) {
    super(options);
    const { operation } = options;
    const names = [elementwise, reductions, structuralOperations].flatMap((table) => Object.keys(table));
    if (!names.includes(operation))
      throw this.error(
        'value',
        `there is no operation "${String(operation)}". ${nameHint(operation, names)}`,
        {
          operation,
        },
      );
  }

  /** The operands of the operation, with the defaults; null: an input. */
  get #operands(): readonly Operand[] {
    const { operation, operands } = this.options;
    if (operands) return operation === 'constant' ? [null, ...operands] : operands;
    const count = operation === 'matmul' || operation === 'lengthMask' ? 2 : 1;
    return new Array<null>(OPERANDS[operation as ElementwiseName] ?? count).fill(null);
  }

  outputShapes(inputs: readonly Shape[]): Shape[] {
    const { operation, axes = [], keepDims = false } = this.options;
    const expected = this.#operands.filter((operand) => operand === null).length;
    if (inputs.length !== expected)
      throw this.error(
        'shape',
        `the number of inputs of ${operation} must be ${expected}, got ${inputs.length}.`,
      );
    if (operation in elementwise) {
      const shapes = this.#operandShapes(inputs);
      return [shapes.reduce((a, b) => this.#broadcast(a, b))];
    }
    const [x] = inputs;
    if (operation in reductions) {
      const reduced = x.map((extent, d) => (axes.includes(d) ? 1 : extent));
      return [keepDims ? reduced : reduced.filter((_, d) => !axes.includes(d))];
    }
    return [structuralOperations[operation].shape(inputs, this.options)];
  }

  protected override makeParameters(): void {
    this.#operands.forEach((operand, i) => {
      if (Array.isArray(operand)) this.#weights.push(this.addParameter(`operand_${i}`, operand, 'zeros'));
    });
  }

  call(inputs: readonly MaskedSequence[]): MaskedSequence[] {
    const { operation, axes = [], keepDims = false } = this.options;
    const operands = this.#tensors(inputs);
    const value =
      operation in elementwise
        ? elementwise[operation as ElementwiseName](operands, this.options)
        : operation in reductions
          ? reductions[operation as ReductionName](operands[0], axes, keepDims)
          : structuralOperations[operation].compute(operands, this.options);
    return [{ value, mask: null }];
  }

  override streaming(inputs: readonly (boolean | null)[]): boolean[] {
    const { operation, axes = [], axis = 1 } = this.options;
    const isStreamed = inputs.some((input) => input === true);
    if (!isStreamed) return [false];
    if (operation in elementwise) {
      if (this.#operandShapes([]).every((shape) => (shape[1] ?? 1) === 1)) return [true];
      throw this.nonCausal('has an operand with a different value for each step of a sequence');
    }
    const { streams } = structuralOperations[operation] ?? {};
    const result = streams ? streams(this.options) : [axis, ...axes].every((d) => d !== 1) || null;
    if (operation in reductions && !axes.includes(1)) return [true];
    if (result !== null && !(operation in reductions)) return [result];
    throw this.nonCausal(`applies ${operation} to the time axis`);
  }

  /** Returns the shapes of all operands in order; numbers and missing inputs have the shape []. */
  #operandShapes(inputs: readonly Shape[]): Shape[] {
    let next = 0;
    return this.#operands.map((operand) =>
      operand === null ? (inputs[next++] ?? []) : Array.isArray(operand) ? operand : [],
    );
  }

  /** Returns all operands as tensors: inputs, constants and weights. */
  #tensors(inputs: readonly MaskedSequence[]): Tensor[] {
    let input = 0;
    let weight = 0;
    return this.#operands.map((operand) => {
      if (operand === null) return inputs[input++].value;
      return Array.isArray(operand) ? this.#weights[weight++] : full([], Number(operand));
    });
  }

  /** Returns the broadcast shape. Unknown sizes (-1) fit any size. */
  #broadcast(a: Shape, b: Shape): Shape {
    const rank = Math.max(a.length, b.length);
    const extent = (shape: Shape, d: number): number => shape[d - rank + shape.length] ?? 1;
    const axes = Array.from({ length: rank }, (_, d) => [extent(a, d), extent(b, d)]);
    try {
      const known = (pair: number[], i: number): number => (pair.includes(-1) ? 1 : pair[i]);
      const shape = broadcastShapes(
        this.label,
        axes.map((pair) => known(pair, 0)),
        axes.map((pair) => known(pair, 1)),
      );
      return shape.map((size, d) => {
        const [p, q] = axes[d];
        return p === -1 || q === -1 ? (Math.max(p, q) > 1 ? Math.max(p, q) : -1) : size;
      });
    } catch {
      throw this.shapeError(b, `a shape that broadcasts with [${a.join(', ')}]`);
    }
  }
}

/**
 * Creates a layer that applies one tensor operation. Operands that are weights are 0 until they are set or loaded.
 * @throws UnrollError `value` for an unknown operation
 */
export function tensorOperation(options: TensorOperationOptions): TensorOperation {
  checkOptions('tensorOperation', options, {
    operation: 'string',
    operands: 'array',
    axes: 'array',
    keepDims: 'boolean',
    shape: 'array',
    order: 'array',
    axis: 'integer',
    start: 'integer',
    end: 'integer',
    indices: true,
    before: 'nonNegativeInteger',
    after: 'nonNegativeInteger',
    exclusive: 'boolean',
    fromEnd: 'boolean',
    alpha: 'number',
    beta: 'number',
    low: 'number',
    high: 'number',
    ...LAYER,
  });
  return new TensorOperation(options);
}
