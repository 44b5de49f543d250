/** The forward pass over a part of each sequence, for truncated backpropagation through time. */
import type { ForwardContext, MaskedSequence, ModelState } from '@unroll/core';
import { copyMemory, emptyMemory, linkStates, type Memory } from './memory.js';
import type { Network } from './network.js';

/**
 * Implements {@link Network.forwardFrom}: like a push to a stream, but the states are not detached, so gradients flow
 * through them.
 */
export function forwardFrom(
  network: Network,
  inputs: readonly MaskedSequence[],
  context: ForwardContext,
  state: ModelState | null,
): { outputs: MaskedSequence[]; state: Memory } {
  const memory = state ? copyMemory(state) : emptyMemory();
  const outputs = linkStates(() => network.streamStep(inputs, memory, context));
  return { outputs: network.penalise(outputs, context), state: memory };
}
