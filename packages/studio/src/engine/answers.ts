/** Answers questions of the page that are asked once. */
import type { Problem } from '../problems/problem.js';
import type { Lane } from './lane.js';
import type { Question } from './protocol.js';

export async function answer(question: Question, _problem: Problem | null, _lanes: readonly Lane[]): Promise<unknown> {
  throw new Error(`not available: ${question.about}`);
}
