/**
 * Samples of every op in the op table, used by the gradient checks and the backend contract. Each sample draws its inputs
 * from its own random stream, so a new sample does not change the inputs of the others.
 */
import { RandomStream } from '@unroll/core';
import { type AnyOp, type OpName, opTable } from '@unroll/core/internal';
import type { DrawnTensor } from './draw.js';
import { cellSamples } from './samples/cells.js';
import { crfSamples } from './samples/crf.js';
import { elementwiseSamples } from './samples/elementwise.js';
import { lossSamples } from './samples/losses.js';
import { recurrentSamples } from './samples/recurrent.js';
import type { AnySample, Samples } from './samples/sample.js';
import { shapeSamples } from './samples/shapes.js';

export type { AnySample, Sample, SampleFor } from './samples/sample.js';

/** Samples by op name. The type requires samples for each op. */
export const samples: Samples = {
  ...elementwiseSamples,
  ...shapeSamples,
  ...cellSamples,
  ...lossSamples,
  ...crfSamples,
  ...recurrentSamples,
};

export const opNames = Object.keys(opTable) as OpName[];

/**
 * Returns an op and its samples with general types: the type checker cannot match attributes to an op whose name is known
 * only at run time.
 */
export function opWithSamples(name: OpName): { op: AnyOp; samples: readonly AnySample[] } {
  return { op: opTable[name], samples: samples[name] };
}

/** Returns the random stream from which a sample draws its inputs. */
export function streamOf(op: string, sample: { readonly name: string }): RandomStream {
  return new RandomStream(20, op, sample.name);
}

/** Draws the inputs of a sample; null for an input that is not given. */
export function drawInputs(op: string, sample: AnySample): (DrawnTensor | null)[] {
  const stream = streamOf(op, sample);
  return sample.inputs.map((generator, i) =>
    generator === null ? null : generator(stream.child('input', i)),
  );
}
