/**
 * Converts elementwise nodes, which compute each element from the elements at the same index. Constants and sizes are folded,
 * and the axes of the operands are aligned. The nodes are in one file, because they share these two steps.
 */
import { align, arrangeConstant, constantOperand } from '../align.js';
import { broadcastExtents } from '../arrays.js';
import type { NodeContext } from '../context.js';
import { computed, type Dimension, knownSize, size } from '../dimensions.js';
import type { ElementType } from '../tensors.js';
import {
  broadcastValues,
  type Constant,
  constantOf,
  fullValues,
  type ModelTensor,
  type Reference,
  shapeOf,
  sizesOf,
  type Value,
} from '../values.js';
import type { Operator } from './operator.js';
import { simplified } from './structure.js';

/** An operator with one input. */
interface Unary {
  /** Name of an activation of Unroll. */
  activation?: string;
  /** Name of an operation of `tensorOperation`. */
  operation?: string;
  /** For options of `tensorOperation`: ONNX's name of the attribute, and its default. */
  numbers?: Readonly<Record<string, readonly [attribute: string, defaultValue: number]>>;
  /** Computes an element of a constant. If it is missing, constants are refused. */
  scalar?: (x: number) => number;
  /** Type of the result. Default: the type of the input. */
  type?: ElementType;
}

const alpha = (defaultValue: number): Unary['numbers'] => ({ alpha: ['alpha', defaultValue] });
/** Rounds to the nearest integer, ties to even. */
const toEven = (x: number): number => {
  const up = Math.floor(x + 0.5);
  return up - x === 0.5 && up % 2 !== 0 ? up - 1 : up;
};

const UNARY: Readonly<Record<string, Unary>> = {
  Abs: { operation: 'abs', scalar: Math.abs },
  Ceil: { operation: 'ceil', scalar: Math.ceil },
  Celu: { operation: 'celu', numbers: alpha(1) },
  Elu: { operation: 'elu', numbers: alpha(1) },
  Erf: { operation: 'erf' },
  Exp: { operation: 'exp', scalar: Math.exp },
  Floor: { operation: 'floor', scalar: Math.floor },
  HardSigmoid: { operation: 'hardSigmoid', numbers: { alpha: ['alpha', 0.2], beta: ['beta', 0.5] } },
  HardSwish: { activation: 'hardSwish' },
  LeakyRelu: { operation: 'leakyRelu', numbers: alpha(0.01) },
  Log: { operation: 'log', scalar: Math.log },
  Mish: { activation: 'mish' },
  Neg: { operation: 'negative', scalar: (x) => -x },
  Not: { operation: 'not', scalar: (x) => (x === 0 ? 1 : 0), type: 'bool' },
  Reciprocal: { operation: 'reciprocal', scalar: (x) => 1 / x },
  Relu: { activation: 'relu', scalar: (x) => Math.max(x, 0) },
  Round: { operation: 'round', scalar: toEven },
  Selu: {
    operation: 'selu',
    numbers: { alpha: ['alpha', 1.6732632423543772], beta: ['gamma', 1.0507009873554805] },
  },
  Shrink: { operation: 'shrink', numbers: { alpha: ['lambd', 0.5], beta: ['bias', 0] } },
  Sigmoid: { activation: 'sigmoid', scalar: (x) => 1 / (1 + Math.exp(-x)) },
  Sign: { operation: 'sign', scalar: Math.sign },
  Softplus: { activation: 'softplus' },
  Softsign: { activation: 'softsign' },
  Sqrt: { operation: 'sqrt', scalar: Math.sqrt },
  Tanh: { activation: 'tanh', scalar: Math.tanh },
  ThresholdedRelu: { operation: 'thresholdedRelu', numbers: alpha(1) },
};

/** An operator with two inputs. */
interface Binary {
  /** Name of an operation of `tensorOperation`. */
  operation: string;
  /** Computes an element from two elements of constants. */
  scalar: (x: number, y: number) => number;
  /** Symbol of the operation on unknown sizes. If it is missing, unknown sizes are refused. */
  sizes?: string;
  /** Type of the result. Default: the type of the inputs. */
  type?: ElementType;
  /** The layer for two tensors of the model. Default: TensorOperation. */
  layer?: string;
}

const flag = (x: boolean): number => (x ? 1 : 0);
export const BINARY: Readonly<Record<string, Binary>> = {
  Add: { operation: 'add', scalar: (x, y) => x + y, sizes: '+', layer: 'Add' },
  And: { operation: 'and', scalar: (x, y) => flag(x !== 0 && y !== 0), type: 'bool' },
  Div: { operation: 'divide', scalar: (x, y) => x / y, sizes: '/' },
  Equal: { operation: 'equal', scalar: (x, y) => flag(x === y), type: 'bool' },
  Greater: { operation: 'greater', scalar: (x, y) => flag(x > y), type: 'bool' },
  GreaterOrEqual: { operation: 'greaterEqual', scalar: (x, y) => flag(x >= y), type: 'bool' },
  Less: { operation: 'less', scalar: (x, y) => flag(x < y), type: 'bool' },
  LessOrEqual: { operation: 'lessEqual', scalar: (x, y) => flag(x <= y), type: 'bool' },
  Max: { operation: 'maximum', scalar: Math.max, sizes: 'max' },
  Min: { operation: 'minimum', scalar: Math.min, sizes: 'min' },
  Mod: { operation: 'modulo', scalar: (x, y) => x - y * Math.floor(x / y) },
  Mul: { operation: 'multiply', scalar: (x, y) => x * y, sizes: '*', layer: 'Multiply' },
  Or: { operation: 'or', scalar: (x, y) => flag(x !== 0 || y !== 0), type: 'bool' },
  Pow: { operation: 'power', scalar: (x, y) => x ** y },
  PRelu: { operation: 'prelu', scalar: (x, slope) => (x < 0 ? x * slope : x) },
  Sub: { operation: 'subtract', scalar: (x, y) => x - y, sizes: '-' },
  Xor: { operation: 'xor', scalar: (x, y) => flag((x !== 0) !== (y !== 0)), type: 'bool' },
};

/** Adds a layer that does not change the shape of a tensor. */
export function applyTo(
  context: NodeContext,
  tensor: ModelTensor,
  layer: { className: string; config: Record<string, unknown> },
  type: ElementType = tensor.type,
): ModelTensor {
  return { ...tensor, ref: context.writer.add({ ...layer, inputs: [tensor.ref] }), type };
}

/** Applies an activation: as an option of the Dense or Conv1D layer before it if possible, otherwise as a new layer. */
export function activate(context: NodeContext, tensor: ModelTensor, activation: string): ModelTensor {
  const { writer } = context;
  const layer = writer.layerOf(tensor.ref);
  const hasNoOtherReader = !writer.isShared(tensor.ref) && context.isOnlyReader(0);
  if (
    hasNoOtherReader &&
    ['Dense', 'Conv1D'].includes(layer.className) &&
    layer.config.activation === undefined
  ) {
    layer.config.activation = activation;
    return tensor;
  }
  return applyTo(context, tensor, { className: 'Activation', config: { activation } });
}

function unary(op: string): Operator['convert'] {
  const { activation, operation, numbers = {}, scalar, type } = UNARY[op];
  return (context) => {
    const value = context.input(0);
    if (value.kind !== 'tensor') {
      const constant = constantOperand(context, value);
      if (!scalar) throw context.error('it is applied to a constant, which is not supported');
      return [{ ...constant, values: constant.values.map(scalar), name: '', type: type ?? value.type }];
    }
    if (activation) return [activate(context, value, activation)];
    const options = Object.fromEntries(
      Object.entries(numbers).map(([name, [attribute, defaultValue]]) => [
        name,
        context.number(attribute, defaultValue),
      ]),
    );
    const ref = context.writer.operation({ operation: operation as string, ...options }, [value.ref]);
    return [{ ...value, ref, type: type ?? value.type }];
  };
}

function binary(op: string): Operator['convert'] {
  const entry = BINARY[op];
  return (context) => {
    if (op === 'Mod' && context.number('fmod', 0) !== 0) return remainder(context);
    const values = context.inputs;
    if (values.length === 1) return values;
    return [values.reduce((a, b) => combine(context, entry, a, b))];
  };
}

/** Returns the remainder of a division that is rounded towards 0 (`fmod` of C): a - b trunc(a / b), with the sign of a. */
function remainder(context: NodeContext): Value[] {
  const [a, b] = [context.input(0), context.input(1)];
  const quotient = combine(context, BINARY.Div, a, b);
  const truncated: Value =
    quotient.kind === 'tensor'
      ? { ...quotient, ref: context.writer.operation({ operation: 'truncate' }, [quotient.ref]) }
      : {
          ...constantOperand(context, quotient),
          values: constantOperand(context, quotient).values.map(Math.trunc),
        };
  return [combine(context, BINARY.Sub, a, combine(context, BINARY.Mul, truncated, b))];
}

/** Applies an operator with two inputs. */
export function combine(context: NodeContext, entry: Binary, a: Value, b: Value): Value {
  if (a.kind !== 'tensor' && b.kind !== 'tensor') return combineConstants(context, entry, a, b);
  const fused = fuseBias(context, entry, a, b);
  if (fused) return fused;
  const isIntegerDivision = a.type !== 'float' && entry.operation === 'divide';
  const { operands, modelAxes, onnxAxes } = align(context, [a, b]);
  const type = entry.type ?? (a.kind === 'tensor' ? a : b).type;
  const result = operation(context, entry.operation, operands, entry.layer);
  const ref = isIntegerDivision ? context.writer.operation({ operation: 'truncate' }, [result]) : result;
  return { kind: 'tensor', ref, modelAxes, onnxAxes, type };
}

/** Adds a layer that computes an operation from aligned operands. */
function operation(
  context: NodeContext,
  name: string,
  operands: ReturnType<typeof align>['operands'],
  layer?: string,
): Reference {
  const isTensor = (operand: (typeof operands)[number]): operand is Reference => Array.isArray(operand);
  const inputs = operands.filter(isTensor);
  const { writer } = context;
  if (layer && inputs.length === operands.length) return writer.add({ className: layer, config: {}, inputs });
  const weights: Record<number, Exclude<(typeof operands)[number], Reference | number>> = {};
  const described = operands.map((operand, i) => {
    if (isTensor(operand)) return null;
    if (typeof operand === 'number') return Number.isFinite(operand) ? operand : infinity(context, operand);
    weights[i] = operand;
    return operand.shape;
  });
  const options = inputs.length === operands.length ? {} : { operands: described };
  return writer.operation({ operation: name, ...options }, inputs, weights, context.node.label);
}

function infinity(context: NodeContext, value: number): string {
  if (Number.isNaN(value)) throw context.error('a constant is NaN');
  return `${value}`;
}

/** Sets the constant of an addition as the bias of the layer before it, and returns the sum; null if this is impossible. */
function fuseBias(context: NodeContext, { operation: name }: Binary, a: Value, b: Value): Value | null {
  const [tensor, bias, index] = a.kind === 'tensor' ? ([a, b, 0] as const) : ([b, a, 1] as const);
  if (name !== 'add' || tensor.kind !== 'tensor' || bias.kind !== 'constant') return null;
  const { writer } = context;
  const layer = writer.layerOf(tensor.ref);
  const hasNoOtherReader = !writer.isShared(tensor.ref) && context.isOnlyReader(index);
  const { useBias, activation } = layer.config;
  if (!hasNoOtherReader || !['Dense', 'Conv1D'].includes(layer.className) || useBias !== false || activation)
    return null;
  if (bias.shape.length > tensor.onnxAxes.length || bias.extents.length !== bias.shape.length) return null;
  if (bias.extents.some((extent, i) => knownSize(bias.shape[i]) !== extent)) return null;
  const units = Number(layer.config.units ?? layer.config.filters);
  if (
    shapeOf(tensor).some(
      (extent, d) => !fits(extent, bias.extents[d - tensor.onnxAxes.length + bias.extents.length]),
    )
  )
    return null;
  const arranged = arrangeConstant(context, bias, tensor.onnxAxes, tensor.modelAxes);
  if (typeof arranged === 'number' || arranged.shape.length !== 1 || arranged.shape[0] !== units) return null;
  layer.config.useBias = true;
  // Use the file's own array if possible, not a copy, because the writer merges layers that have the same arrays.
  const { values } = bias.extents.at(-1) === units ? bias : arranged;
  writer.arrays.set(`${layer.config.name}/bias`, {
    shape: [units],
    values,
    from: bias.name || context.node.label,
  });
  return tensor;
}

const fits = (extent: Dimension, other: number | undefined): boolean =>
  other === undefined || other === 1 || knownSize(extent) === other;

function combineConstants(context: NodeContext, { scalar, sizes, type }: Binary, a: Value, b: Value): Value {
  const isInteger = a.type === 'int' && b.type === 'int';
  const compute = (x: number, y: number): number => {
    const result = scalar(x, y);
    return isInteger ? Math.trunc(result) : result;
  };
  const resultType = type ?? a.type;
  if (a.kind === 'sizes' || b.kind === 'sizes')
    return combineSizes(context, { compute, sizes, type: resultType }, a, b);
  const x = constantOperand(context, a);
  const y = constantOperand(context, b);
  const extents = broadcastExtents(x.extents, y.extents);
  const p = extents && broadcastValues(x.values, x.extents, extents);
  const q = extents && broadcastValues(y.values, y.extents, extents);
  if (!extents || !p || !q) throw context.error('the shapes of its constants do not match');
  const values = p.map((value, i) => compute(value, q[i]));
  const rank = Math.max(x.shape.length, y.shape.length);
  const at = (shape: readonly Dimension[], d: number): Dimension => shape[d - rank + shape.length] ?? size(1);
  const shape = Array.from({ length: rank }, (_, d) =>
    knownSize(at(x.shape, d)) === 1 ? at(y.shape, d) : at(x.shape, d),
  );
  return {
    kind: 'constant',
    extents: [...new Array<number>(rank - extents.length).fill(1), ...extents],
    values,
    shape,
    type: resultType,
    name: '',
  };
}

function combineSizes(
  context: NodeContext,
  { compute, sizes: name, type }: { compute: Binary['scalar']; sizes: string | undefined; type: ElementType },
  a: Value,
  b: Value,
): Value {
  const [x, y] = [sizesOf(a), sizesOf(b)];
  if (!x || !y) throw context.error('it combines unknown sizes with a tensor');
  const count = Math.max(x.length, y.length);
  if ([x, y].some(({ length }) => length !== 1 && length !== count))
    throw context.error('the shapes of its constants do not match');
  const at = (list: readonly Dimension[], i: number): Dimension => list[list.length === 1 ? 0 : i];
  const sizes = Array.from({ length: count }, (_, i) => {
    const [p, q] = [at(x, i), at(y, i)];
    // A size is positive, so it equals no number below 1.
    if (
      context.node.op === 'Equal' &&
      [p, q].some((extent) => (knownSize(extent) ?? 1) < 1) &&
      knownSize(p) !== knownSize(q)
    )
      return size(0);
    const result =
      name || (knownSize(p) !== null && knownSize(q) !== null) ? computed(name ?? '', p, q, compute) : null;
    if (result) return result;
    throw context.error('it depends on an unknown size');
  });
  const isScalar = shapeOf(a).length === 0 && shapeOf(b).length === 0;
  return simplified({ kind: 'sizes', isScalar, sizes, type });
}

function where(context: NodeContext): Value[] {
  const values = [0, 1, 2].map((i) => context.input(i));
  const [condition, x, y] = values;
  if (values.every(({ kind }) => kind !== 'tensor')) {
    const chosen = fullValues(condition);
    const [p, q] = [sizesOf(x), sizesOf(y)];
    if (!chosen || !p || !q) throw context.error('it chooses between constants of unknown size');
    const count = Math.max(chosen.length, p.length, q.length);
    if ([chosen, p, q].some(({ length }) => length !== 1 && length !== count))
      throw context.error('the shapes of its constants do not match');
    const at = <T>(list: ArrayLike<T>, i: number): T => list[list.length === 1 ? 0 : i];
    const sizes = Array.from({ length: count }, (_, i) => at(at(chosen, i) === 0 ? q : p, i));
    const isScalar = values.every((value) => shapeOf(value).length === 0);
    return [simplified({ kind: 'sizes', isScalar, sizes, type: x.type })];
  }
  if (condition.kind !== 'tensor') {
    const chosen = constantOperand(context, condition).values;
    if (chosen.every((value) => value !== 0)) return [x];
    if (chosen.every((value) => value === 0)) return [y];
  }
  const { operands, modelAxes, onnxAxes } = align(context, values);
  return [
    {
      kind: 'tensor',
      ref: operation(context, 'where', operands.map(finite)),
      modelAxes,
      onnxAxes,
      type: x.type,
    },
  ];
}

/** Replaces infinity by the largest float32: `where` multiplies its operands by 0 or 1, and 0 times infinity is NaN. */
function finite<T>(operand: T): T | number {
  return typeof operand === 'number' && !Number.isFinite(operand)
    ? Math.sign(operand) * 3.4028234663852886e38
    : operand;
}

function clip(context: NodeContext): Value[] {
  const bound = (index: number, name: string): number | undefined =>
    context.optionalConstant(index, name)?.values[0] ??
    (context.has(name) ? context.number(name) : undefined);
  const [low, high] = [bound(1, 'min'), bound(2, 'max')];
  const value = context.input(0);
  if (value.kind !== 'tensor') {
    const constant = constantOperand(context, value);
    const limit = (x: number): number => Math.min(Math.max(x, low ?? x), high ?? x);
    return [{ ...constant, values: constant.values.map(limit), name: '' }];
  }
  const isBound = (x: number | undefined): boolean => x !== undefined && Math.abs(x) < 3.4e38;
  const options = { ...(isBound(low) && { low }), ...(isBound(high) && { high }) };
  return [{ ...value, ref: context.writer.operation({ operation: 'clip', ...options }, [value.ref]) }];
}

/** Converts Cast and CastLike. `to` is 1 (float32), 10 (float16), 11 (float64), 16 (bfloat16), 9 (bool) or an integer type. */
function cast(context: NodeContext): Value[] {
  const to = context.node.op === 'CastLike' ? null : context.number('to');
  const type =
    to === null ? context.input(1).type : [1, 10, 11, 16].includes(to) ? 'float' : to === 9 ? 'bool' : 'int';
  const value = context.input(0);
  if (value.kind === 'tensor') {
    if (value.type !== 'float' || type === 'float') {
      if (type !== 'bool' || value.type === 'bool') return [{ ...value, type }];
      const ref = context.writer.operation({ operation: 'not' }, [value.ref]);
      return [{ ...value, ref: context.writer.operation({ operation: 'not' }, [ref]), type }];
    }
    const ref = context.writer.operation({ operation: 'truncate' }, [value.ref]);
    return [{ ...value, ref, type }];
  }
  if (value.kind === 'sizes') return [{ ...value, type }];
  const convert = (x: number): number =>
    type === 'bool' ? flag(x !== 0) : type === 'int' ? Math.trunc(x) : x;
  const constant: Constant = { ...value, values: value.values.map(convert), type };
  return [value.type === type ? value : constant];
}

function gelu(context: NodeContext): Value[] {
  const value = context.tensor(0);
  if (context.text('approximate', 'none') === 'none') return [activate(context, value, 'gelu')];
  return [{ ...value, ref: context.writer.operation({ operation: 'geluTanh' }, [value.ref]) }];
}

function dropout(context: NodeContext): (Value | undefined)[] {
  const value = context.input(0);
  const rate = context.optionalConstant(1, 'the ratio')?.values[0] ?? context.number('ratio', 0.5);
  if (context.optionalConstant(2, 'training_mode')?.values[0])
    throw context.error('its training mode is not supported');
  const mask = context.isOutputRead(1) ? constantOf([], Float64Array.of(1), 'bool') : undefined;
  if (value.kind !== 'tensor' || !(rate > 0 && rate < 1)) return [value, mask];
  return [applyTo(context, value, { className: 'Dropout', config: { rate } }), mask];
}

const operatorsOf = (
  table: Readonly<
    Record<string, { activation?: string; operation?: string; layer?: string; numbers?: Unary['numbers'] }>
  >,
  convert: (op: string) => Operator['convert'],
): Record<string, Operator> =>
  Object.fromEntries(
    Object.entries(table).map(([op, { activation, operation: name, layer, numbers = {} }]) => [
      op,
      {
        becomes: activation
          ? `Activation ${activation}`
          : `${layer ? `${layer}, or ` : ''}TensorOperation ${name}`,
        attributes: op === 'Mod' ? ['fmod'] : Object.values(numbers).map(([attribute]) => attribute),
        convert: convert(op),
      },
    ]),
  );

export const elementwise: Record<string, Operator> = {
  ...operatorsOf(UNARY, unary),
  ...operatorsOf(BINARY, binary),
  Cast: { becomes: 'nothing, or TensorOperation truncate', attributes: ['to', 'saturate'], convert: cast },
  CastLike: { becomes: 'nothing, or TensorOperation truncate', attributes: ['saturate'], convert: cast },
  Clip: { becomes: 'TensorOperation clip', attributes: ['min', 'max'], convert: clip },
  Dropout: { becomes: 'Dropout', attributes: ['ratio', 'seed'], convert: dropout },
  Gelu: { becomes: 'Activation gelu', attributes: ['approximate'], convert: gelu },
  Where: { becomes: 'TensorOperation where', attributes: [], convert: where },
};
