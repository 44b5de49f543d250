/** Generates the data of a row of `npm run bench:sequences`: the same numbers on every machine. */
import { type NamedTensor, type RowData, uniform } from '../data.js';
import type { SequenceTensors, TensorSpec } from './rows.js';

function fill(spec: TensorSpec, seed: number): NamedTensor {
  const { name, shape } = spec;
  const stream = uniform(Math.imul(seed, 0x01000193));
  const values = new Float32Array(shape.reduce((a, b) => a * b));
  for (let i = 0; i < values.length; i++) {
    const u = stream.next().value;
    values[i] =
      'limit' in spec
        ? (spec.center ?? 0) + (2 * u - 1) * spec.limit
        : spec.first + Math.floor(u * (spec.end - spec.first));
  }
  return { name, shape, values };
}

export function makeSequenceData({ inputs, y, weights }: SequenceTensors): RowData {
  let seed = 0;
  const next = (spec: TensorSpec): NamedTensor => fill(spec, ++seed);
  return { inputs: inputs.map(next), y: next(y), weights: weights.map(next) };
}
