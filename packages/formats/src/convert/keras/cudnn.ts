/**
 * Converts the weights of the layers CuDNNLSTM and CuDNNGRU of Keras 2, which have cuDNN's layout: the matrices of each gate
 * are transposed, and there are two biases, one for the inputs and one for the state.
 */
import type { FloatArray } from '@unroll/core';
import type { ImportedArray } from '../imported.js';
import { configError } from './json.js';

/** Returns the weights of an LSTM layer, which has one bias: the sum of both. */
export function cudnnLstmWeights(arrays: ImportedArray[]): ImportedArray[] {
  const [kernel, recurrent, bias] = checked(arrays, 4);
  const width = bias.shape[0] / 2;
  const sum = bias.values.slice(0, width).map((value: number, i: number) => value + bias.values[width + i]);
  return [inputKernel(kernel, 4), recurrentKernel(recurrent, 4), { ...bias, shape: [width], values: sum }];
}

/** Returns the weights of a GRU layer with `resetAfter`, which has both biases. */
export function cudnnGruWeights(arrays: ImportedArray[]): ImportedArray[] {
  const [kernel, recurrent, bias] = checked(arrays, 3);
  return [inputKernel(kernel, 3), recurrentKernel(recurrent, 3), { ...bias, shape: [2, bias.shape[0] / 2] }];
}

function checked(arrays: ImportedArray[], gates: number): ImportedArray[] {
  const [kernel, recurrent, bias] = arrays;
  const units = recurrent.shape[0];
  const fits =
    kernel.shape.length === 2 &&
    kernel.shape[1] === gates * units &&
    recurrent.shape.length === 2 &&
    recurrent.shape[1] === gates * units &&
    bias.shape.length === 1 &&
    bias.shape[0] === 2 * gates * units;
  if (fits) return arrays;
  throw configError(
    `${kernel.from} and the arrays after it`,
    `weights of a CuDNN layer with ${gates} gates`,
    [kernel.shape, recurrent.shape, bias.shape],
  );
}

/**
 * Returns the kernel. In the file, the block [I, H] of each gate (I inputs, H units) contains the elements of a row-major
 * matrix [H, I].
 */
function inputKernel(array: ImportedArray, gates: number): ImportedArray {
  const [I, width] = array.shape;
  const H = width / gates;
  return rearranged(
    array,
    (row, gate, column) => {
      const at = column * I + row; // position in the matrix [H, I]
      return Math.floor(at / H) * width + gate * H + (at % H);
    },
    gates,
  );
}

/** Returns the recurrent kernel. In the file, the matrix [H, H] of each gate is transposed. */
function recurrentKernel(array: ImportedArray, gates: number): ImportedArray {
  const [H, width] = array.shape;
  return rearranged(array, (row, gate, column) => column * width + gate * H + row, gates);
}

/** Returns a rearranged array. @param source returns the position in the file for a row, a gate and a column of the gate */
function rearranged(
  array: ImportedArray,
  source: (row: number, gate: number, column: number) => number,
  gates: number,
): ImportedArray {
  const [rows, width] = array.shape;
  const H = width / gates;
  const values: FloatArray = array.values.slice();
  for (let row = 0; row < rows; row++)
    for (let i = 0; i < width; i++)
      values[row * width + i] = array.values[source(row, Math.floor(i / H), i % H)];
  return { ...array, values };
}
