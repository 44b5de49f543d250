/** The random streams from which layers draw dropout masks: with a `seed`, and for masks that a whole sequence shares. */
import type { ForwardContext, RandomStream } from '@unroll/core';

const seeded = new WeakMap<RandomStream, Map<number, RandomStream>>();

/**
 * Returns the random stream for the dropout masks of a layer: without a seed, this is `random`, the stream of the
 * training step; with a seed, a child stream that is independent of the draws of other layers.
 */
export function seededStream(random: RandomStream, seed: number | undefined): RandomStream {
  if (seed === undefined) return random;
  const streams = seeded.get(random) ?? new Map<number, RandomStream>();
  seeded.set(random, streams);
  const stream = streams.get(seed) ?? random.child('seed', seed);
  streams.set(seed, stream);
  return stream;
}

/** Like {@link seededStream}, for a mask that all steps of a sequence share, even if they are trained in several parts. */
export function sequenceStream(context: ForwardContext, seed: number | undefined): RandomStream {
  const stream = seededStream(context.random, seed);
  return context.sharedDraw?.(stream) ?? stream;
}
