/** Outputs of the network as probabilities and as text. */
import { formatNumber } from '../charts/format-number.js';
import type { PredictionValues, ProblemInfo } from '../engine/protocol.js';
import { visible } from './visible.js';

/** Returns the probabilities of logits. */
export function softmaxOf(logits: ArrayLike<number>, temperature = 1): number[] {
  const values = Array.from(logits);
  const top = Math.max(...values);
  const powers = values.map((value) => Math.exp((value - top) / temperature));
  const sum = powers.reduce((total, value) => total + value, 0);
  return powers.map((value) => value / sum);
}

/** Returns the outputs of an example or, with one output per step, of a step of the selected example. */
export function outputRow(
  problem: ProblemInfo,
  { outputs }: PredictionValues,
  example: number,
  step: number,
): Float32Array {
  const row = problem.perStep ? step : example;
  return outputs.subarray(row * problem.outputs, (row + 1) * problem.outputs);
}

/** Returns the most probable class with its probability, or the predicted number. */
export function outputText(
  problem: ProblemInfo,
  predictions: PredictionValues,
  example: number,
  step: number,
): string {
  const row = outputRow(problem, predictions, example, step);
  if (row.length === 0) return '';
  if (problem.classes === null) {
    const { mean = 0, scale = 1 } = problem.series ?? {};
    return formatNumber(row[0] * scale + mean);
  }
  const probabilities = softmaxOf(row);
  const best = probabilities.indexOf(Math.max(...probabilities));
  return `${visible(problem.classes[best])} ${Math.round(100 * probabilities[best])} %`;
}
