/** Answers the requests that the page sends to the worker. Code that few visitors need is loaded on demand. */
import type { Problem } from '../problems/problem.js';
import type { Lane } from './lane.js';
import type { Question } from './protocol.js';

/** Returns the answer. @param lanes the cells that train side by side, each with its network */
export async function answer(
  question: Question,
  problem: Problem | null,
  lanes: readonly Lane[],
): Promise<unknown> {
  if (question.about === 'files') return (await import('./artifacts.js')).describeFiles(question.files);
  if (question.about === 'translate')
    return (await import('./translations.js')).translate(question.path, question.text);
  const lane = lanes.find(({ cell }) => cell === question.cell);
  if (!lane || !problem) throw new Error('The network is not built yet.');
  switch (question.about) {
    case 'generate':
      return (await import('./generate.js')).generate(lane.network, problem, question);
    case 'histograms':
      return (await import('./tensors.js')).tensorsOf(lane.network);
    case 'figure':
      return (await import('./figures.js')).figureOf(lane, problem, question);
    case 'artifact':
      return (await import('./artifacts.js')).artifactOf(lane, problem);
    case 'ablation':
      return (await import('./ablation.js')).compareAblation(lane, problem, question);
  }
}
