/** The outputs of a network with units set to 0 or a gate held. */
import type { Problem } from '../problems/problem.js';
import type { Lane } from './lane.js';
import type { Question } from './protocol.js';

export async function ablated(_lane: Lane, _problem: Problem, question: Question): Promise<never> {
  throw new Error(`not available: ${question.about}`);
}
