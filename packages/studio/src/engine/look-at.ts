/** Computes the values that the visible view shows. A look is one set of such values, for example a trace. */
import type { Problem } from '../problems/problem.js';
import type { Lane } from './lane.js';
import { flowOf, predictionsOf, saturationOf, traceOf } from './looks.js';
import type { LookValues, Watch } from './protocol.js';

export async function lookAt(lane: Lane, problem: Problem, watch: Watch): Promise<LookValues> {
  const values: LookValues = {};
  const example = Math.min(watch.example, problem.examples.count - 1);
  for (const look of watch.looks) {
    if (look === 'trace') values.trace = await traceOf(lane, problem, example);
    if (look === 'flow') values.flow = await flowOf(lane, problem, false);
    if (look === 'lossFlow') values.lossFlow = await flowOf(lane, problem, true);
    if (look === 'predictions') values.predictions = await predictionsOf(lane.network, problem, example);
    if (look === 'saturation') values.saturation = await saturationOf(lane, problem);
    if (look === 'influence')
      values.influence = await (await import('./influence.js')).influenceOf(
        lane,
        problem,
        example,
        watch.step,
      );
    if (look === 'projection')
      values.projection = await (await import('./influence.js')).projectionOf(lane, problem, example);
  }
  return values;
}
