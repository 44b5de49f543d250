/** Random streams of layers with a seed of their own. */
import type { RandomStream } from '@unroll/core';

const seeded = new WeakMap<RandomStream, Map<number, RandomStream>>();

/**
 * Where a layer's dropout masks come from: the step's stream, or for a layer with a seed one of its own below it, which
 * does not depend on what other layers draw.
 */
export function seededStream(random: RandomStream, seed: number | undefined): RandomStream {
  if (seed === undefined) return random;
  const streams = seeded.get(random) ?? new Map<number, RandomStream>();
  seeded.set(random, streams);
  const stream = streams.get(seed) ?? random.child('seed', seed);
  streams.set(seed, stream);
  return stream;
}
