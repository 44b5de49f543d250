/** Draws the gates and the unrolled network as SVG, with @unroll/insight. */
import { gateFigure, trace, unrolledFigure } from '@unroll/insight';
import type { Problem } from '../problems/problem.js';
import type { Lane } from './lane.js';
import { inputsFor } from './looks.js';

export interface FigureRequest {
  figure: 'gates' | 'unrolled';
  example: number;
  /** Index of the recurrent layer, for gates. */
  layer: number;
  /** First step, for the unrolled network. */
  from: number;
  /** Text of the input at each step; empty: the inputs are shown as numbers. */
  texts: readonly string[];
}

/** Largest number of steps in the SVG of the unrolled network. (The page shows up to seven.) */
const MAX_STEPS = 8;

export async function figureOf({ network }: Lane, problem: Problem, request: FigureRequest): Promise<string> {
  const { figure, example, layer, from, texts } = request;
  const { x, options } = inputsFor(problem, [example]);
  const found = await trace(network, x, { ...options, inputs: true });
  if (figure === 'gates') return gateFigure(found.layers[Math.min(layer, found.layers.length - 1)]);
  const steps = Math.min(MAX_STEPS, problem.steps);
  const labels = texts.length > 0 ? { inputs: texts } : {};
  return unrolledFigure(found, { steps, from: Math.min(from, problem.steps - steps), ...labels });
}
