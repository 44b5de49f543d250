/**
 * hard_sigmoid is clip(0.2 x + 0.5, 0, 1) in Keras 2 and TensorFlow.js, and clip(x/6 + 0.5, 0, 1) in Keras 3 and Unroll.
 * With weights and biases multiplied by 1.2, the second function gives the results of the first.
 */
import type { ImportedArray } from '../imported.js';
import type { KerasOptions } from './options.js';

const FACTOR = 1.2;

/** The conversion of the weights of a layer whose `activation` is the old hard_sigmoid; {} for any other. */
export function scaledBy(
  o: KerasOptions,
  key: string,
  gates: { of: number; scaled: readonly number[] } = { of: 1, scaled: [0] },
): { convert?: (arrays: ImportedArray[]) => ImportedArray[] } {
  if (!o.hasOldHardSigmoid(key)) return {};
  o.context.rescaled = true;
  o.context.report.defaulted.push({
    name: `${key} of ${o.where}`,
    value: 'hardSigmoid, with weights multiplied by 1.2',
    reason: 'hard_sigmoid is clip(0.2 x + 0.5, 0, 1) in Keras 2 and clip(x/6 + 0.5, 0, 1) in Unroll',
  });
  return { convert: (arrays) => arrays.map((array) => scaleGates(array, gates)) };
}

/** Multiplies the columns of some gates. The last axis contains all gates. */
function scaleGates(
  array: ImportedArray,
  { of, scaled }: { of: number; scaled: readonly number[] },
): ImportedArray {
  const width = array.shape.at(-1) ?? 1;
  const units = width / of;
  return {
    ...array,
    values: array.values.map((value: number, i: number) =>
      scaled.includes(Math.floor((i % width) / units)) ? value * FACTOR : value,
    ),
  };
}
