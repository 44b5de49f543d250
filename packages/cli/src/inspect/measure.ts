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

/** What a model does on one example. */
export interface ExampleMeasurements {
  title: string;
  /** A text for each step; undefined: none. */
  steps: readonly string[] | undefined;
  trace: Trace;
  /** One entry per output, because each network of an ensemble influences only one output. */
  gradients: GradientFlow[];
  saturation: LayerSaturation[];
  memory: MemoryLength;
}

export interface ModelMeasurements {
  weights: WeightStatistics[];
  /** Null without data. */
  example: ExampleMeasurements | null;
}

/** Measures a network on an example, and computes the statistics of its weights. */
export async function measure({
  network,
  inputs,
  mask,
  title,
  steps,
}: NetworkExample): Promise<ModelMeasurements> {
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
