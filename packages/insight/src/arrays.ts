/**
 * Arrays of numbers as plain objects, so that the results of `trace`, `gradientFlow` and the like can be cloned and sent between
 * workers.
 */
import type { FloatArray, Tensor } from '@unroll/core';

/** Numbers with a shape, row-major. */
export interface DataArray {
  shape: number[];
  values: FloatArray;
}

/** Returns a copy of the values of a tensor. */
export async function readArray(tensor: Tensor): Promise<DataArray> {
  return { shape: [...tensor.shape], values: await tensor.data() };
}

/** Returns an array of zeros. */
export function zerosOf(shape: readonly number[]): DataArray {
  return { shape: [...shape], values: new Float64Array(shape.reduce((size, extent) => size * extent, 1)) };
}

/** Returns the arrays concatenated along the first axis. */
export function joinArrays(parts: readonly DataArray[]): DataArray {
  if (parts.length === 1) return parts[0];
  const size = parts.reduce((sum, { values }) => sum + values.length, 0);
  const values = new (parts[0].values.constructor as new (length: number) => FloatArray)(size);
  let offset = 0;
  for (const part of parts) {
    values.set(part.values, offset);
    offset += part.values.length;
  }
  const rows = parts.reduce((sum, { shape }) => sum + shape[0], 0);
  return { shape: [rows, ...parts[0].shape.slice(1)], values };
}

/** Returns the states h of a traced layer; for stacked cells, h of the last cell. If no state is named h: the first state. */
export function outputStates(states: Readonly<Record<string, DataArray>>): DataArray | undefined {
  const named = Object.entries(states).findLast(([name]) => /(^|\.)h$/.test(name));
  return named?.[1] ?? Object.values(states)[0];
}
