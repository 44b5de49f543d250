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
  /** For each output: a part of an ensemble has an influence on one of them. */
  gradients: GradientFlow[];
  saturation: LayerSaturation[];
  memory: MemoryLength;
}

export interface Measured {
  weights: WeightStatistics[];
  /** Null without data. */
  example: Measurements | null;
}

/** Runs the instruments on an example. */
export async function measure({ network, inputs, mask, title, steps }: NetworkExample): Promise<Measured> {
  const x = [...inputs];
  const masks = mask === undefined ? {} : { mask: masksOf(x, mask) };
  const traced = await trace(network, x, { ...masks, inputs: true });
  // Of several inputs, such as a source and its translation, the first one is the one whose influence is shown.
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

/** Returns the mask for each input: the first one has it. */
const masksOf = (inputs: readonly Tensor[], mask: Tensor): (Tensor | null)[] =>
  inputs.map((_, i) => (i === 0 ? mask : null));
