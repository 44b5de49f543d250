/** A training step and its forward pass: over a batch, or over a part of its time steps (truncate.ts). */
import type { ForwardContext, MaskedSequence, Model, RandomStream } from '@unroll/core';
import type { PreparedBatch } from './batches.js';
import type { LossContext } from './losses/loss.js';

/** The functions with which a forward pass adds terms to the loss, and registers work to run after the step. */
export type PassHooks = Pick<ForwardContext, 'addLoss' | 'afterStep'>;

export interface PassResult {
  outputs: readonly MaskedSequence[];
  /** The context in which the losses are computed. */
  context: LossContext;
  /** True if every time step is padding; the training step then computes no gradients. Default false. */
  isPadding?: boolean;
}

/** Runs the forward pass. A second call gives the same result. */
export type ForwardPass = (hooks: PassHooks) => PassResult;

/** A training step. */
export interface TrainingStep {
  /** The examples of the step: a batch, or a part of its time steps. `last` is true for the last step of the epoch. */
  batch: PreparedBatch;
  forward: ForwardPass;
  /** The batch, with all its time steps. */
  wholeBatch: PreparedBatch;
  /** Number of training steps for the whole batch: 1, or with `truncate` the number of its chunks. */
  stepsPerBatch: number;
  /** Called when the step is complete. */
  done(): void;
}

/** Returns the context of a forward pass in training. @param makeStream creates the random stream when it is first used */
export function trainingContext(makeStream: () => RandomStream, hooks: PassHooks): ForwardContext {
  let stream: RandomStream | null = null;
  return {
    training: true,
    get random() {
      return (stream ??= makeStream());
    },
    ...hooks,
  };
}

/** Returns the inputs of a batch with their masks. */
export function sequencesOf({ inputs, masks }: Pick<PreparedBatch, 'inputs' | 'masks'>): MaskedSequence[] {
  return inputs.map((value, i) => ({ value, mask: masks[i] ?? null }));
}

/** Returns the step that processes a whole batch. @param makeStream creates the random stream of the batch */
export function wholeBatchStep(
  model: Model,
  batch: PreparedBatch,
  makeStream: () => RandomStream,
): TrainingStep {
  const forward: ForwardPass = (hooks) => {
    const context = trainingContext(makeStream, hooks);
    return { outputs: model.forward(sequencesOf(batch), context), context };
  };
  return { batch, forward, wholeBatch: batch, stepsPerBatch: 1, done: () => {} };
}
