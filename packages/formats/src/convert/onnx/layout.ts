/** Moves and regroups axes of tensors of the model. For atoms, model axes and ONNX axes, see values.ts. */
import { splitFirst } from './align.js';
import type { NodeContext } from './context.js';
import {
  type Dimension,
  dividedBy,
  equalDimensions,
  formatDimension,
  knownSize,
  product,
  size,
} from './dimensions.js';
import {
  type Atom,
  type Axis,
  axisSize,
  current,
  formatShapeOf,
  type ModelTensor,
  newAxis,
} from './values.js';
import { sameAxis } from './writer.js';

/** Returns the tensor with the atoms of an ONNX axis as one model axis, and the index of that axis. */
export function isolate(
  context: NodeContext,
  tensor: ModelTensor,
  axis: number,
): { tensor: ModelTensor; at: number } {
  const atoms = current(tensor.onnxAxes[axis]);
  const modelAxes = tensor.modelAxes.map(current);
  const found = modelAxes.findIndex(
    (modelAxis, d) => d > 0 && modelAxis.length > 0 && sameAxis(modelAxis, atoms),
  );
  if (found > 0) return { tensor, at: found };
  const rest = modelAxes.flatMap((modelAxis) =>
    modelAxis.some((atom) => atoms.includes(atom))
      ? modelAxis.filter((atom) => !atoms.includes(atom)).map((atom) => [atom])
      : [modelAxis],
  );
  const following = tensor.onnxAxes
    .slice(axis + 1)
    .flat()
    .find(({ isBatch }) => !isBatch);
  const next = following ? rest.findIndex((modelAxis) => modelAxis.includes(following)) : -1;
  const firstModelAxis = modelAxes.findIndex((modelAxis) => modelAxis.some((atom) => atoms.includes(atom)));
  const at = Math.max(
    1,
    atoms.length > 0 ? Math.min(firstModelAxis, rest.length) : next < 0 ? rest.length : next,
  );
  return { tensor: context.writer.arrange(tensor, rest.toSpliced(at, 0, atoms)), at };
}

/** Returns the tensor with the batch and these ONNX axes as model axes. @throws UnrollError `value` if it has other axes */
export function withModelAxes(
  context: NodeContext,
  tensor: ModelTensor,
  axes: readonly number[],
): ModelTensor {
  const wanted = axes.map((axis) => current(tensor.onnxAxes[axis]));
  const batch = current(tensor.modelAxes[0]);
  return context.writer.arrange(tensor, [batch, ...wanted]);
}

/** Returns the tensor with the atoms of an ONNX axis as its last model axis; the other axes keep their order. */
export function withLast(context: NodeContext, tensor: ModelTensor, axis: number): ModelTensor {
  const atoms = current(tensor.onnxAxes[axis]);
  const modelAxes = tensor.modelAxes.map(current);
  const others = modelAxes.flatMap((modelAxis) =>
    modelAxis.some((atom) => atoms.includes(atom))
      ? modelAxis.filter((atom) => !atoms.includes(atom)).map((atom) => [atom])
      : [modelAxis],
  );
  if (sameAxis(modelAxes[modelAxes.length - 1], atoms) && modelAxes.length > 1) return tensor;
  return context.writer.arrange(tensor, [...others, atoms]);
}

/**
 * Returns the tensor after Reshape. A layer is added only if regrouping the axes does not suffice.
 * @param shape may contain -1 once, for a size that follows from the others
 */
export function reshapeOnnxAxes(
  context: NodeContext,
  tensor: ModelTensor,
  shape: readonly Dimension[],
): ModelTensor {
  const exact = inferMissingSize(tensor, shape);
  const target = exact ?? inferMissingSize(tensor, withUnknownSizes(tensor, shape));
  if (exact === null && target !== null)
    context.report.defaulted.push({
      name: context.node.label,
      value: 'any size',
      reason: `its shape [${shape.map(formatDimension).join(', ')}] contains the number of steps of the exporter's example input`,
    });
  const atoms = tensor.onnxAxes.flatMap((axis) => [...current(axis)]);
  const fail = () =>
    context.error(
      `${formatShapeOf(tensor)} cannot be reshaped to [${shape.map(formatDimension).join(', ')}]`,
    );
  if (target === null) throw fail();
  const reshapedTensor = withReshapeLayer(context, tensor, target);
  if (reshapedTensor) return reshapedTensor;
  const onnxAxes = target.map((extent): Axis => {
    if (knownSize(extent) === 1) return isUnitBatch(atoms[0]) ? [atoms.shift() as Atom] : [];
    const axis: Atom[] = [];
    for (let rest = extent; knownSize(rest) !== 1; ) {
      const [atom] = atoms;
      if (atom === undefined) throw fail();
      const quotient = dividedBy(rest, atom.size);
      if (isUnitBatch(atom)) atoms.shift();
      else if (quotient !== null) {
        axis.push(atom);
        atoms.shift();
        rest = quotient;
      } else if (!splitFirst(atoms, rest)) {
        if (atom.isBatch && atom.origin) context.rejectBatch([atom], 'it splits');
        throw fail();
      }
    }
    return axis;
  });
  if (atoms.some((atom) => !isUnitBatch(atom))) throw fail();
  return { ...tensor, onnxAxes };
}

/**
 * Replaces numbers in a shape by the unknown sizes of the tensor's leading axes. Some exporters write the number of steps of
 * their example input, although the model accepts any number.
 */
function withUnknownSizes({ onnxAxes }: ModelTensor, shape: readonly Dimension[]): Dimension[] {
  const end = onnxAxes.findIndex((axis, d) => {
    const extent = axisSize(current(axis));
    const isOpen = knownSize(extent) === null && (knownSize(shape[d] ?? size(-1)) ?? 0) > 1;
    return !isOpen && !equalDimensions(extent, shape[d] ?? size(-1));
  });
  return shape.map((extent, d) => (d < end ? axisSize(current(onnxAxes[d])) : extent));
}

/**
 * Adds a Reshape layer if the old and new sizes are known and are not products of common factors (for example, [2, 3] and
 * [3, 2]), and no axis but the first contains the batch. Otherwise returns null.
 */
function withReshapeLayer(
  context: NodeContext,
  tensor: ModelTensor,
  target: readonly Dimension[],
): ModelTensor | null {
  const batch = current(tensor.modelAxes[0]);
  const isFirst = batch.length === 1 && sameAxis(current(tensor.onnxAxes[0] ?? []), batch);
  const unmerged = (isFirst ? tensor.onnxAxes.slice(1) : tensor.onnxAxes).map((axis) => [...current(axis)]);
  const wanted = isFirst ? target.slice(1) : target;
  const sizes = wanted.map(knownSize);
  const from = unmerged.flat().map((atom) => knownSize(atom.size));
  const startsWithBatch = !isFirst || (target.length > 0 && equalDimensions(target[0], axisSize(batch)));
  if (
    unmerged.flat().some(({ isBatch }) => isBatch) ||
    sizes.includes(null) ||
    from.includes(null) ||
    !startsWithBatch
  )
    return null;
  const count = (list: (number | null)[]): number =>
    list.reduce<number>((total, extent) => total * (extent ?? 1), 1);
  if (count(sizes) !== count(from) || haveCommonFactors(from as number[], sizes as number[])) return null;
  const flat = context.writer.arrange(tensor, [batch, ...unmerged.flat().map((atom) => [atom])]);
  const axes = wanted.map(newAxis);
  const ref = context.writer.add({
    className: 'Reshape',
    config: { targetShape: sizes },
    inputs: [flat.ref],
  });
  return { ...tensor, ref, modelAxes: [batch, ...axes], onnxAxes: isFirst ? [batch, ...axes] : axes };
}

/**
 * Returns true if there is a list of factors from which both lists of sizes result by multiplying adjacent factors: [2, 3]
 * gives both [6] and [2, 3].
 */
function haveCommonFactors(from: readonly number[], to: readonly number[]): boolean {
  const borders = (sizes: readonly number[]): number[] => {
    let border = 1;
    return sizes.map((extent) => {
      border *= extent;
      return border;
    });
  };
  const all = [...new Set([...borders(from), ...borders(to)])].sort((a, b) => a - b);
  return all.every((border, i) => i === 0 || border % all[i - 1] === 0);
}

/** Returns true for a batch that the file fixes to one sequence. Such a batch may be missing from the ONNX axes. */
const isUnitBatch = (atom: Atom | undefined): boolean => atom?.isBatch === true && knownSize(atom.size) === 1;

/** Replaces the size -1 by the total size divided by the other sizes; null if the quotient is not a {@link Dimension}. */
function inferMissingSize(tensor: ModelTensor, shape: readonly Dimension[]): Dimension[] | null {
  const at = shape.findIndex((extent) => knownSize(extent) === -1);
  if (at < 0) return [...shape];
  const total = product(tensor.onnxAxes.map(axisSize));
  const rest = dividedBy(total, product(shape.filter((_, i) => i !== at)));
  return rest && shape.map((extent, i) => (i === at ? rest : extent));
}

export const sameSize = (a: Axis, b: Axis): boolean => equalDimensions(axisSize(a), axisSize(b));
