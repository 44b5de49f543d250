/** Computes the values that the views show for a lane (a cell with its network), with @unroll/insight. */
import { predict, type Tensor } from '@unroll/core';
import { gradientFlow, type LayerTrace, saturation, trace } from '@unroll/insight';
import type { Problem } from '../problems/problem.js';
import { examplesOf, type Lane, selectExamples } from './lane.js';
import type { FlowCurve, FlowValues, LayerValues, PredictionValues, SaturationValues } from './protocol.js';

/** Number of examples for gradients. */
const GRADIENT_EXAMPLES = 8;

/** Name of the attention weights among the gates of a decoder. They have one column per source step instead of one per unit. */
export const ALIGNMENT = 'alignment';

/** Returns inputs, targets and mask of the examples with the given indices. */
export function inputsFor(problem: Problem, indices: readonly number[]) {
  const { x, y, mask } = examplesOf(problem, selectExamples(problem, indices));
  return {
    x: x as Tensor | Tensor[],
    y: y as Tensor,
    options: mask === undefined ? {} : { mask: mask as Tensor },
  };
}

/** Returns the indices of the first examples. */
export const firstExamples = (problem: Problem, limit = GRADIENT_EXAMPLES): number[] =>
  Array.from({ length: Math.min(limit, problem.examples.count) }, (_, n) => n);

export async function traceOf(lane: Lane, problem: Problem, example: number): Promise<LayerValues[]> {
  const { x, options } = inputsFor(problem, [example]);
  const { layers } = await trace(lane.network, x, { ...options, inputs: true });
  return Promise.all(layers.map((layer) => layerValues(lane, layer)));
}

async function layerValues(lane: Lane, layer: LayerTrace): Promise<LayerValues> {
  const { layer: name, className, units, keep, x } = layer;
  // In the equations of a decoder, this state has the name `a`.
  const { attention: a, ...rest } = layer.states;
  const states = a ? { ...rest, a } : rest;
  const { [ALIGNMENT]: alignment, ...gates } = layer.gates;
  const parameters = lane.network
    .getLayer(name)
    .parameters.map(
      async (parameter) =>
        [
          parameter.name.split('/').at(-1) ?? parameter.name,
          { shape: parameter.shape, values: Float32Array.from(await parameter.data()) },
        ] as const,
    );
  return {
    ...{ layer: name, className, units, keep: keep?.name ?? null },
    gates: floatsOf(gates),
    states: floatsOf(states),
    x: Float32Array.from(x?.values ?? []),
    inputs: x?.shape[2] ?? 0,
    alignment: alignment ? Float32Array.from(alignment.values) : null,
    weights: Object.fromEntries(await Promise.all(parameters)),
  };
}

const floatsOf = (arrays: LayerTrace['gates']): Record<string, Float32Array> =>
  Object.fromEntries(Object.entries(arrays).map(([name, { values }]) => [name, Float32Array.from(values)]));

/** Returns how the gradient depends on the lag. @param ofLoss differentiate the loss instead of the output of the last step */
export async function flowOf(lane: Lane, problem: Problem, ofLoss: boolean): Promise<FlowValues> {
  const { x, y, options } = inputsFor(problem, firstExamples(problem));
  const loss = ofLoss ? { loss: problem.loss } : {};
  const { layers } = await gradientFlow(lane.network, x, ofLoss ? y : null, {
    ...options,
    ...loss,
    quantiles: [0.1, 0.9],
  });
  const curves = layers.flatMap(({ layer, states }) =>
    Object.entries(states).map(
      ([state, { mean, relative }]): FlowCurve => ({
        ...{ layer, state, raw: Float64Array.from(mean), relative: Float64Array.from(relative.mean) },
        low: Float64Array.from(relative.quantiles.values.subarray(0, mean.length)),
        high: Float64Array.from(relative.quantiles.values.subarray(mean.length)),
      }),
    ),
  );
  const { forgetProduct, spectralRadius } = layers[0];
  return { curves, forgetProduct: forgetProduct && Float64Array.from(forgetProduct.mean), spectralRadius };
}

export async function saturationOf(lane: Lane, problem: Problem): Promise<SaturationValues[]> {
  const { x, options } = inputsFor(problem, firstExamples(problem, 32));
  const layers = await saturation(lane.network, x, options);
  return layers.map(({ layer, units, gates, dead, halfLife }) => ({
    ...{ layer, units, dead, halfLife: halfLife && Float32Array.from(halfLife) },
    gates: Object.fromEntries(
      Object.entries(gates).flatMap(([name, { low, high, meanByUnit }]) =>
        name === ALIGNMENT ? [] : [[name, { low, high, mean: Float32Array.from(meanByUnit) }]],
      ),
    ),
  }));
}

/** Returns outputs, loss and accuracy on the first examples, for the network or for an ablated network. */
export async function predictionsOf(
  network: Parameters<typeof predict>[0],
  problem: Problem,
  example: number,
): Promise<PredictionValues> {
  const indices = firstExamples(problem, 256);
  const { x, options } = inputsFor(problem, indices);
  const [output] = [await predict(network, x, options)].flat();
  const all = Float32Array.from(await output.data());
  const width = problem.outputs * (problem.perStep ? problem.steps : 1);
  return {
    outputs: problem.perStep ? all.slice(example * width, (example + 1) * width) : all,
    ...scoresOf(problem, all, indices.length),
  };
}

/** Returns the loss on the first examples, and the accuracy if the outputs are classes, otherwise null. */
function scoresOf(
  problem: Problem,
  outputs: Float32Array,
  count: number,
): { loss: number; accuracy: number | null } {
  const { classes, examples, perStep, steps, outputs: width } = problem;
  const rows = count * (perStep ? steps : 1);
  let [loss, correct, weight] = [0, 0, 0];
  for (let r = 0; r < rows; r++) {
    const w = examples.weights?.[r] ?? 1;
    if (w === 0) continue;
    weight += w;
    const row = outputs.subarray(r * width, (r + 1) * width);
    if (classes === null)
      loss += w * row.reduce((sum, value, k) => sum + (value - examples.y[r * width + k]) ** 2, 0);
    else {
      const target = examples.y[r];
      const top = Math.max(...row);
      loss -= w * (row[target] - top - Math.log(row.reduce((sum, value) => sum + Math.exp(value - top), 0)));
      if (row[target] === top) correct += w;
    }
  }
  return { loss: loss / weight, accuracy: classes === null ? null : correct / weight };
}
