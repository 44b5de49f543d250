/** Generated text with a known entropy. */
import { RandomStream } from '@unroll/core';

const CHOICES = [
  ['cat', 'dog', 'bird', 'fish'],
  ['sees', 'hears'],
  ['tree', 'lake'],
] as const;
/** Entropy of a sentence in nats: 16 sentences are equally likely. */
export const SENTENCE_NATS = Math.log(16);

/** Returns sentences such as `the cat sees the lake.`, one per line. */
export function sentences(count: number, seed = 0): string {
  const integers = new RandomStream(seed, 'sentences').words(3 * count);
  const pick = (n: number, k: number): string => CHOICES[k][integers[3 * n + k] % CHOICES[k].length];
  return Array.from({ length: count }, (_, n) => `the ${pick(n, 0)} ${pick(n, 1)} the ${pick(n, 2)}.\n`).join(
    '',
  );
}
