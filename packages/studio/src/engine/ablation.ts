/** Compares the outputs of a network before and after ablation, which fixes units or a gate at a value. */
import { ablate } from '@unroll/insight';
import type { Problem } from '../problems/problem.js';
import type { Lane } from './lane.js';
import { predictionsOf } from './looks.js';
import type { Ablation, PredictionValues } from './protocol.js';

export interface AblationResult {
  before: PredictionValues;
  after: PredictionValues;
}

export async function compareAblation(
  { network }: Lane,
  problem: Problem,
  { ablation, example }: { ablation: Ablation; example: number },
): Promise<AblationResult> {
  const { layer, units, gate, value } = ablation;
  const ablatedNetwork = ablate(network, gate === null ? { layer, units, value } : { layer, gate, value });
  return {
    before: await predictionsOf(network, problem, example),
    after: await predictionsOf(ablatedNetwork, problem, example),
  };
}
