/** Measures a model on one example of a file, for `unroll inspect --data`. */
import type { Tensor } from '@unroll/core';
import {
  type GradientFlow,
  gradientFlow,
  type LayerSaturation,
  type MemoryLength,
  memoryLength,
  saturationOf,
  type Trace,
  trace,
  type WeightStatistics,
  weightStatistics,
} from '@unroll/insight';
import type { NetworkExample } from '@unroll/tasks';

/** The measurements of one example. */
export interface Measurements {
  title: string;
  /** A text for each step; undefined: none. */
  steps: readonly string[] | undefined;
  trace: Trace;
  /** One entry per output, because each network of an ensemble influences only one output. */
  gradients: GradientFlow[];
  saturation: LayerSaturation[];
  memory: MemoryLength;
}

export interface Measured {
  weights: WeightStatistics[];
  /** Null without data. */
  example: Measurements | null;
}

/** Returns the measurements of an example, and the statistics of the weights. */
export async function measure({ network, inputs, mask, title, steps }: NetworkExample): Promise<Measured> {
  const x = [...inputs];
  const masks = mask === undefined ? {} : { mask: masksOf(x, mask) };
  const traced = await trace(network, x, { ...masks, inputs: true });
  // If there are several inputs, such as a source and its translation, the influence of the first one is shown.
  const memory = await memoryLength(network, x, { ...masks, input: 0 });
  const gradients: GradientFlow[] = [];
  for (const output of traced.outputs.keys())
    gradients.push(await gradientFlow(network, x, null, { ...masks, output }));
  const saturation = traced.layers.map((layer) => saturationOf(layer));
  return {
    weights: await weightStatistics(network),
    example: { title, steps, trace: traced, gradients, saturation, memory },
  };
}

/** Returns a mask for each input: only the first input has one. */
const masksOf = (inputs: readonly Tensor[], mask: Tensor): (Tensor | null)[] =>
  inputs.map((_, i) => (i === 0 ? mask : null));
