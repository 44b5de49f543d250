/**
 * Samples of every op of the op table: the one list that gradient checks and the backend contract both walk.
 * The type makes it complete. Each sample draws its inputs from a stream of its own, so that adding one
 * changes no other.
 */
import { RandomStream } from '@unroll/core';
import { type AnyOp, type OpName, opTable } from '@unroll/core/internal';
import type { Drawn } from './draw.js';
import { elementwiseSamples } from './samples/elementwise.js';
import { lossSamples } from './samples/losses.js';
import { recurrentSamples } from './samples/recurrent.js';
import type { AnySample, Samples } from './samples/sample.js';
import { shapeSamples } from './samples/shapes.js';

export type { AnySample, Sample, SampleFor } from './samples/sample.js';

export const samples: Samples = {
  ...elementwiseSamples,
  ...shapeSamples,
  ...lossSamples,
  ...recurrentSamples,
};

export const opNames = Object.keys(opTable) as OpName[];

/**
 * An op with its samples, when it does not matter which one it is. Attributes and op belong together by the
 * types above; a name that is not known before the program runs cannot show it.
 */
export function opWithSamples(name: OpName): { op: AnyOp; samples: readonly AnySample[] } {
  return { op: opTable[name], samples: samples[name] };
}

/** The stream a sample draws from. */
export function streamOf(op: string, sample: { readonly name: string }): RandomStream {
  return new RandomStream(20, op, sample.name);
}

export function drawInputs(op: string, sample: AnySample): (Drawn | null)[] {
  const stream = streamOf(op, sample);
  return sample.inputs.map((maker, i) => (maker === null ? null : maker(stream.child('input', i))));
}
