/** Samples tokens from a network that predicts the next one. */
import { RandomStream, tensor } from '@unroll/core';
import type { Network } from '@unroll/nn';
import { InputError } from '../problems/input-error.js';
import type { Problem } from '../problems/problem.js';
import { softmaxOf } from '../views/outputs.js';

export interface GenerateRequest {
  prompt: string;
  count: number;
  temperature: number;
  seed: number;
}

/** Returns the prompt and `count` sampled characters. @throws InputError if the network does not predict its next input */
export async function generate(
  network: Network,
  problem: Problem,
  request: GenerateRequest,
): Promise<string> {
  const { classes } = problem;
  const vocabulary = problem.vocabulary ?? [];
  if (problem.attention || problem.vocabulary === null || vocabulary !== classes)
    throw new InputError('notNextInput');
  const { prompt, count, temperature, seed } = request;
  const random = new RandomStream(seed, 'generate').uniform(count);
  const stream = network.stream({ batch: 1 });
  let text = prompt || '\n';
  let logits: ArrayLike<number> = [];
  for (const character of text) logits = await next(character);
  for (let n = 0; n < count; n++) {
    const character = vocabulary[draw(softmaxOf(logits, temperature), random[n])];
    text += character;
    logits = await next(character);
  }
  return prompt ? text : text.slice(1);

  async function next(character: string): Promise<ArrayLike<number>> {
    const id = Math.max(0, vocabulary.indexOf(character));
    return stream.step(tensor(Float32Array.of(id), [1])).data();
  }
}

/** Draws an index according to the probabilities. Index 0, which stands for rare characters, is not drawn. */
function draw(probabilities: readonly number[], uniform: number): number {
  const total = 1 - probabilities[0];
  let remaining = uniform * total;
  for (let id = 1; id < probabilities.length; id++) {
    remaining -= probabilities[id];
    if (remaining <= 0) return id;
  }
  return probabilities.length - 1;
}
