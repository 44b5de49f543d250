/**
 * Samples of every op in the op table, used by the gradient checks and the backend contract. The type requires samples
 * for each op. Each sample draws its inputs from its own stream, so that a new sample does not change the others.
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
 * An op with its samples, without their specific types: the type checker cannot match attributes to an op whose name is
 * known only at run time.
 */
export function opWithSamples(name: OpName): { op: AnyOp; samples: readonly AnySample[] } {
  return { op: opTable[name], samples: samples[name] };
}

/** The stream that a sample draws from. */
export function streamOf(op: string, sample: { readonly name: string }): RandomStream {
  return new RandomStream(20, op, sample.name);
}

export function drawInputs(op: string, sample: AnySample): (Drawn | null)[] {
  const stream = streamOf(op, sample);
  return sample.inputs.map((maker, i) => (maker === null ? null : maker(stream.child('input', i))));
}
