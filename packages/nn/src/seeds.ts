/** Random streams of layers with a seed. */
import type { RandomStream } from '@unroll/core';

const seeded = new WeakMap<RandomStream, Map<number, RandomStream>>();

/**
 * The random stream for a layer's dropout masks. Without a seed: the stream of the step. With a seed: a child stream,
 * independent of the draws of other layers.
 */
export function seededStream(random: RandomStream, seed: number | undefined): RandomStream {
  if (seed === undefined) return random;
  const streams = seeded.get(random) ?? new Map<number, RandomStream>();
  seeded.set(random, streams);
  const stream = streams.get(seed) ?? random.child('seed', seed);
  streams.set(seed, stream);
  return stream;
}
