/** Computes what the output depends on, and the projection of hidden states. This file is loaded when a view needs it. */
import { attribution, connectivity, type DataArray, projection, trace } from '@unroll/insight';
import type { Problem } from '../problems/problem.js';
import type { Lane } from './lane.js';
import { firstExamples, inputsFor } from './looks.js';
import type { InfluenceValues, ProjectionValues } from './protocol.js';

export async function influenceOf(
  lane: Lane,
  problem: Problem,
  example: number,
  step: number,
): Promise<InfluenceValues> {
  const { x, options } = inputsFor(problem, [example]);
  const outputStep = problem.perStep && step >= 0 ? step : 'last';
  const { steps, inputs } = await connectivity(lane.network, x, outputStep, options);
  // A decoder has a second input, the previous targets.
  const source = inputs.find(({ input }) => input === 0) ?? inputs[0];
  const attributionOptions = { ...options, input: 0, step: outputStep, points: 16 } as const;
  const { bySteps } = await attribution(lane.network, x, attributionOptions);
  return {
    step: steps[0],
    norms: Float32Array.from(source.norms.values),
    attribution: Float32Array.from(bySteps.values),
  };
}

/** Number of examples whose states are projected. */
const PROJECTED_EXAMPLES = 12;

/** Projects the hidden states of the last recurrent layer at all steps of some examples. */
export async function projectionOf(lane: Lane, problem: Problem, example: number): Promise<ProjectionValues> {
  const others = firstExamples(problem, PROJECTED_EXAMPLES).filter((index) => index !== example);
  const indices = [example, ...others].slice(0, PROJECTED_EXAMPLES);
  const { x, options } = inputsFor(problem, indices);
  const { layers } = await trace(lane.network, x, options);
  const { states, mask } = layers[layers.length - 1];
  const { points, explained } = projection(states.h, { mask, components: Math.min(2, states.h.shape[2]) });
  return {
    ...{ points: inPlane(points), indices, steps: problem.steps },
    explained: [...explained],
  };
}

/** Returns points with two coordinates. A layer with one unit has only one component; the second coordinate is then 0. */
function inPlane({ shape, values }: DataArray): Float32Array {
  if (shape.at(-1) === 2) return Float32Array.from(values);
  return Float32Array.from({ length: 2 * values.length }, (_, n) => (n % 2 === 0 ? values[n / 2] : 0));
}
