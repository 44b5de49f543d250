/**
 * Converts tensors of PyTorch to parameters of a layer. PyTorch stores matrices transposed, and the gates of a GRU in the
 * order r z n instead of z r n. A recurrent module has two biases; an LSTM and an RNN use only their sum.
 */
import type { FloatArray, Shape } from '@unroll/core';

/** The computation of a parameter from tensors. */
export interface Recipe {
  /** Name of the parameter: `lstm/kernel`. */
  parameter: string;
  shape: Shape;
  /** Names of the tensors. */
  from: readonly string[];
  convert(values: readonly FloatArray[]): FloatArray;
  /** True for a sum of tensors. Each tensor has the gradient of the sum, so the first one's optimizer slots are used. */
  isSum?: boolean;
}

/** For each gate in Unroll's order, its index in PyTorch. */
const GATES = { RNN: [0], LSTM: [0, 1, 2, 3], GRU: [1, 0, 2] } as const;
export type CellType = keyof typeof GATES;

const BLOCK = 32;

/** Returns the transpose of a matrix [rows, columns]. Works in blocks, so that both matrices stay in the cache. */
export function transpose(values: FloatArray, rows: number, columns: number): FloatArray {
  const out = new (values.constructor as new (length: number) => FloatArray)(values.length);
  for (let r0 = 0; r0 < rows; r0 += BLOCK) {
    for (let c0 = 0; c0 < columns; c0 += BLOCK) {
      const [r1, c1] = [Math.min(r0 + BLOCK, rows), Math.min(c0 + BLOCK, columns)];
      for (let c = c0; c < c1; c++) {
        for (let r = r0; r < r1; r++) out[c * rows + r] = values[r * columns + c];
      }
    }
  }
  return out;
}

/** Reorders the gates of a matrix [G * H, columns] or of a vector [G * H]. */
function orderGates(values: FloatArray, order: readonly number[]): FloatArray {
  if (order.every((from, to) => from === to)) return values;
  const size = values.length / order.length;
  const out = values.slice();
  order.forEach((from, to) => {
    out.set(values.subarray(from * size, (from + 1) * size), to * size);
  });
  return out;
}

export interface RecurrentShape {
  cell: CellType;
  input: number;
  units: number;
  projection: number;
  bias: boolean;
}

/** Returns the recipes of one layer in one direction. @param tensor returns the full name of `weight_ih`, ... */
export function recurrentRecipes(
  layer: string,
  { cell, input, units, projection, bias }: RecurrentShape,
  tensor: (part: string) => string,
): Recipe[] {
  const order = GATES[cell];
  const width = order.length * units;
  const matrix = (parameter: string, part: string, rows: number): Recipe => ({
    parameter: `${layer}/${parameter}`,
    shape: [rows, width],
    from: [tensor(part)],
    convert: ([values]) => transpose(orderGates(values, order), width, rows),
  });
  const recipes = [
    matrix('kernel', 'weight_ih', input),
    matrix('recurrent_kernel', 'weight_hh', projection || units),
  ];
  const from = [tensor('bias_ih'), tensor('bias_hh')];
  const parameter = `${layer}/bias`;
  if (bias && cell === 'GRU') {
    // The reset gate r multiplies the recurrent bias of the candidate n, so the two biases cannot be added.
    const convert = (rows: readonly FloatArray[]) => concatenated(rows.map((row) => orderGates(row, order)));
    recipes.push({ parameter, shape: [2, width], from, convert });
  } else if (bias) recipes.push({ parameter, shape: [width], from, convert: sum, isSum: true });
  if (projection > 0) {
    recipes.push({
      parameter: `${layer}/projection_kernel`,
      shape: [units, projection],
      from: [tensor('weight_hr')],
      convert: ([values]) => transpose(values, projection, units),
    });
  }
  return recipes;
}

const sum = ([a, b]: readonly FloatArray[]): FloatArray =>
  a.map((value: number, i: number) => value + b[i]) as FloatArray;

function concatenated(rows: readonly FloatArray[]): FloatArray {
  const out = new Float64Array(rows.reduce((length, row) => length + row.length, 0));
  let at = 0;
  for (const row of rows) {
    out.set(row, at);
    at += row.length;
  }
  return out;
}

/** Returns the recipe of a parameter that has the values of a tensor. */
export const copyRecipe = (parameter: string, tensor: string, shape: Shape): Recipe => ({
  parameter,
  shape,
  from: [tensor],
  convert: ([values]) => values,
});

/** Returns the recipe of W [I, O] from a tensor [O, I]. */
export const transposeRecipe = (parameter: string, tensor: string, [rows, columns]: Shape): Recipe => ({
  parameter,
  shape: [columns, rows],
  from: [tensor],
  convert: ([values]) => transpose(values, rows, columns),
});

/** Returns the recipe of W [k, I, O] from a tensor [O, I, k]. */
export const convolutionRecipe = (
  parameter: string,
  tensor: string,
  [filters, input, size]: Shape,
): Recipe => ({
  parameter,
  shape: [size, input, filters],
  from: [tensor],
  convert: ([values]) => {
    const out = new (values.constructor as new (length: number) => FloatArray)(values.length);
    for (let o = 0, at = 0; o < filters; o++)
      for (let i = 0; i < input; i++)
        for (let k = 0; k < size; k++) out[(k * input + i) * filters + o] = values[at++];
    return out;
  },
});
