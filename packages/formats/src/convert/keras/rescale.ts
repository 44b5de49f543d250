/**
 * hard_sigmoid is clip(0.2 x + 0.5, 0, 1) in Keras 2 and TensorFlow.js, and clip(x/6 + 0.5, 0, 1) in Keras 3 and Unroll.
 * With weights and biases multiplied by 1.2, the second function gives the results of the first.
 */
import type { ImportedArray } from '../imported.js';
import type { KerasOptions } from './options.js';

const FACTOR = 1.2;

/** Why the hard_sigmoid of Keras 2 is refused where multiplied weights cannot replace it. */
export const OLD_HARD_SIGMOID =
  'its activation is the hard_sigmoid of Keras 2, clip(0.2 x + 0.5, 0, 1), which Unroll does not have';

/** The number of gates, and the indices of the gates whose weights are multiplied. */
interface ScaledGates {
  gateCount: number;
  scaled: readonly number[];
}

/** Returns the conversion of the weights if the activation option `key` is the hard_sigmoid of Keras 2, else {}. */
export function hardSigmoidConversion(
  o: KerasOptions,
  key: string,
  gates: ScaledGates = { gateCount: 1, scaled: [0] },
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

/** Returns a copy in which the columns of some gates are multiplied. The last axis contains the columns of all gates. */
function scaleGates(array: ImportedArray, { gateCount, scaled }: ScaledGates): ImportedArray {
  const width = array.shape.at(-1) ?? 1;
  const units = width / gateCount;
  return {
    ...array,
    values: array.values.map((value: number, i: number) =>
      scaled.includes(Math.floor((i % width) / units)) ? value * FACTOR : value,
    ),
  };
}
