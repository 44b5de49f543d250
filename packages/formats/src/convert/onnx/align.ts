/** Aligns the operands of an elementwise node: brings them to common axes. */
import type { FloatArray, Shape } from '@unroll/core';
import { strided, stridesOf } from './arrays.js';
import { type NodeContext, OtherBatchAxis } from './context.js';
import {
  type Dimension,
  dividedBy,
  equalDimensions,
  formatDimension,
  knownSize,
  size,
} from './dimensions.js';
import {
  Atom,
  type Axis,
  axisSize,
  type Constant,
  current,
  type ModelTensor,
  type Reference,
  type Value,
} from './values.js';

/**
 * Operands with common axes: tensors of the model, numbers, and arrays whose rank is at most the rank of the tensors.
 * `modelAxes`, `onnxAxes` and atoms (factors of the size of an axis) are explained in values.ts.
 */
export interface AlignedOperands {
  operands: (Reference | number | { shape: Shape; values: FloatArray })[];
  modelAxes: Axis[];
  onnxAxes: Axis[];
}

/** Aligns values, at least one of which is a tensor of the model. Adds layers that rearrange the axes of tensors. */
export function align(context: NodeContext, values: readonly Value[]): AlignedOperands {
  const tensors = values.filter((value) => value.kind === 'tensor') as ModelTensor[];
  const rank = Math.max(...values.map(rankOf));
  const replacements = batchReplacements(tensors);
  const onnxAxes: Axis[] = Array.from({ length: rank }, () => []);
  for (const tensor of tensors) mergeAxes(context, onnxAxes, tensor, replacements);
  for (const value of values)
    if (value.kind !== 'tensor') mergeConstant(context, onnxAxes, constantOperand(context, value));
  const common = onnxAxes.map((axis) => current(axis));
  const replacedTensors = tensors.map((tensor) => replaceAtoms(tensor, replacements));
  const modelAxes = commonAxes(replacedTensors, common);
  const operands = values.map((value) => {
    if (value.kind !== 'tensor')
      return arrangeConstant(context, constantOperand(context, value), common, modelAxes);
    const tensor = replacedTensors[tensors.indexOf(value)];
    const atoms = tensor.modelAxes.flatMap((axis) => [...current(axis)]);
    const wanted = modelAxes.map((axis) => axis.filter((atom) => atoms.includes(atom)));
    return context.writer.arrange(tensor, wanted).ref;
  });
  return { operands, modelAxes, onnxAxes: common };
}

/** Maps the batch atom of each tensor to the batch of the first tensor, because a model has a single batch size. */
export function batchReplacements([first, ...others]: readonly ModelTensor[]): Map<Atom, Atom> {
  const [batch] = current(first.modelAxes[0]);
  return new Map(
    others
      .map(({ modelAxes }): [Atom, Atom] => [current(modelAxes[0])[0], batch])
      .filter(([atom]) => atom !== batch),
  );
}

const rankOf = (value: Value): number =>
  value.kind === 'tensor'
    ? value.onnxAxes.length
    : value.kind === 'constant'
      ? value.shape.length
      : value.isScalar
        ? 0
        : 1;

/** Returns the constant for a value that does not depend on the inputs of the model. */
export function constantOperand(context: NodeContext, value: Value): Constant {
  if (value.kind === 'constant') return value;
  if (value.kind === 'tensor') throw context.error('one of its inputs must be constant');
  const numbers = value.sizes.map((extent) => {
    const number = knownSize(extent);
    if (number === null) throw context.error(`it computes with the unknown size ${formatDimension(extent)}`);
    return number;
  });
  const extents = value.isScalar ? [] : [numbers.length];
  return {
    ...{ kind: 'constant', extents, shape: extents.map(size), type: value.type, name: '' },
    values: Float64Array.from(numbers),
  };
}

/**
 * Merges the axes of a tensor into `onnxAxes`, the axes of the result. If an axis of the result already has atoms,
 * `replacements` then maps the tensor's atoms to them.
 */
export function mergeAxes(
  context: NodeContext,
  onnxAxes: Axis[],
  tensor: ModelTensor,
  replacements: Map<Atom, Atom>,
): void {
  const offset = onnxAxes.length - tensor.onnxAxes.length;
  tensor.onnxAxes.forEach((axis, i) => {
    const added = current(axis);
    const existing = current(onnxAxes[offset + i]);
    if (existing.length === 0) onnxAxes[offset + i] = added;
    else if (added.length > 0) unify(context, existing, added, replacements);
  });
}

/** Maps the atoms of an axis to the atoms of an existing axis of the same size. Splits atoms if their sizes differ. */
function unify(context: NodeContext, existing: Axis, added: Axis, replacements: Map<Atom, Atom>): void {
  const a = [...existing];
  const b = [...added];
  const fail = (): never => {
    throw context.error(
      `the sizes ${formatDimension(axisSize(existing))} and ${formatDimension(axisSize(added))} do not match`,
    );
  };
  while (a.length > 0 && b.length > 0) {
    const [x, y] = [a[0], b[0]];
    if (x === y || replacements.get(y) === x) {
      a.shift();
      b.shift();
    } else if (mayBeEqual(x, y) && (equalDimensions(x.size, y.size) || a.length + b.length === 2)) {
      if (x.isBatch !== y.isBatch) {
        const { origin } = x.isBatch ? y : x;
        if (origin) throw new OtherBatchAxis(origin.input, origin.axis);
        fail();
      }
      replacements.set(y, x);
      a.shift();
      b.shift();
    } else if (!splitFirst(a, y.size) && !splitFirst(b, x.size)) fail();
  }
  if (a.length + b.length > 0) fail();
}

/** True if the sizes are equal, or one of them is unknown. Two batches always have the same size. */
const mayBeEqual = (x: Atom, y: Atom): boolean =>
  (x.isBatch && y.isBatch) ||
  equalDimensions(x.size, y.size) ||
  knownSize(x.size) === null ||
  knownSize(y.size) === null;

/** Splits the first atom of a list into an atom of size `first` and a remainder. Returns false if this is impossible. */
export function splitFirst(list: Atom[], first: Dimension): boolean {
  const [atom] = list;
  const rest = dividedBy(atom.size, first);
  if (
    rest === null ||
    atom.isBatch ||
    knownSize(rest) === 1 ||
    knownSize(first) === 1 ||
    knownSize(first) === 0
  )
    return false;
  atom.parts = [new Atom(first), new Atom(rest)];
  list.splice(0, 1, ...atom.parts);
  return true;
}

function mergeConstant(context: NodeContext, onnxAxes: Axis[], constant: Constant): void {
  const offset = onnxAxes.length - constant.shape.length;
  constant.shape.forEach((extent, i) => {
    if (knownSize(extent) === 1) return;
    const existing = current(onnxAxes[offset + i]);
    if (existing.length === 0) onnxAxes[offset + i] = [new Atom(extent)];
    else if (!equalDimensions(axisSize(existing), extent))
      throw context.error(
        `a constant has ${formatDimension(extent)} elements on an axis of size ${formatDimension(axisSize(existing))}`,
      );
  });
}

/** Returns the tensor with its atoms replaced. */
export function replaceAtoms(tensor: ModelTensor, replacements: Map<Atom, Atom>): ModelTensor {
  const map = (axis: Axis): Axis => current(axis).map((atom) => replacements.get(atom) ?? atom);
  return { ...tensor, modelAxes: tensor.modelAxes.map(map), onnxAxes: tensor.onnxAxes.map(map) };
}

/**
 * Returns model axes that contain all atoms. They begin as the axes of the tensor that has the most atoms. Each missing atom
 * becomes a new axis: before the axis that contains the next included atom in the order of `onnxAxes`, or at the end if there
 * is none. An axis is split if a tensor has only some of its atoms.
 */
function commonAxes(tensors: readonly ModelTensor[], onnxAxes: readonly Axis[]): Axis[] {
  const atomsOf = ({ modelAxes }: ModelTensor): Atom[] => modelAxes.flatMap((axis) => [...current(axis)]);
  const base = tensors.reduce((a, b) => (atomsOf(b).length > atomsOf(a).length ? b : a));
  const axes: Axis[] = base.modelAxes.map(current).filter((axis, d) => axis.length > 0 || d === 0);
  const all = [...onnxAxes.flat(), ...tensors.flatMap(atomsOf)];
  const isIncluded = (atom: Atom): boolean => axes.some((axis) => axis.includes(atom));
  all.forEach((atom, i) => {
    if (isIncluded(atom)) return;
    const next = all.slice(i + 1).find(isIncluded);
    const at = next ? axes.findIndex((axis) => axis.includes(next)) : axes.length;
    axes.splice(Math.max(at, 1), 0, [atom]);
  });
  return axes.flatMap((axis) => {
    const isPartial = tensors.some((tensor) => {
      const tensorAtoms = atomsOf(tensor);
      const count = axis.filter((atom) => tensorAtoms.includes(atom)).length;
      return count > 0 && count < axis.length;
    });
    return isPartial ? axis.map((atom) => [atom]) : [axis];
  });
}

/** Returns a constant in the order of model axes: a number, or an array that has size 1 on axes along which it repeats. */
export function arrangeConstant(
  context: NodeContext,
  constant: Constant,
  onnxAxes: readonly Axis[],
  modelAxes: readonly Axis[],
): number | { shape: Shape; values: FloatArray } {
  const { extents, values } = constant;
  if (values.length === 1) return values[0];
  const strideOf = new Map<Atom, number>();
  const strides = stridesOf(extents);
  extents.forEach((extent, i) => {
    if (extent === 1) return;
    let stride = strides[i];
    for (const atom of [...current(onnxAxes[onnxAxes.length - extents.length + i])].reverse()) {
      const factor = knownSize(atom.size);
      if (factor === null)
        throw context.error('a constant has one element per step, but the number of steps is not fixed');
      strideOf.set(atom, stride);
      stride *= factor;
    }
  });
  const [batch] = modelAxes[0];
  const batchStride = strideOf.get(batch);
  if (batchStride !== undefined) {
    if (!repeatsAlong(values, batchStride, knownSize(batch.size) ?? 1)) {
      context.rejectBatch([batch], 'it has different constants for the sequences of');
    }
    strideOf.delete(batch);
  }
  const shape = modelAxes.map((axis) =>
    axis.some((atom) => strideOf.has(atom)) ? (knownSize(axisSize(axis)) as number) : 1,
  );
  const atoms = modelAxes.filter((axis) => axis.some((atom) => strideOf.has(atom))).flat();
  const sizes = atoms.map((atom) => knownSize(atom.size) as number);
  const arranged = strided(
    values,
    sizes,
    atoms.map((atom) => strideOf.get(atom) ?? 0),
  );
  while (shape[0] === 1) shape.shift();
  return { shape, values: arranged };
}

/** Returns true if the elements do not depend on the index of the axis with this stride. */
function repeatsAlong(values: FloatArray, stride: number, count: number): boolean {
  return values.every((value, i) => {
    const index = Math.floor(i / stride) % count;
    return value === values[i - index * stride];
  });
}
