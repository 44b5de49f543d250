/**
 * The random streams from which layers draw dropout masks: for layers with the option `seed`, and for masks that all steps
 * of a sequence share.
 */
import type { ForwardContext, RandomStream } from '@unroll/core';

const seeded = new WeakMap<RandomStream, Map<number, RandomStream>>();

/**
 * Returns the random stream for the dropout masks of a layer: without a seed, this is `random`, the stream of the
 * training step; with a seed, a child stream. Layers with the same seed share this child stream; draws of other layers do
 * not change it.
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
