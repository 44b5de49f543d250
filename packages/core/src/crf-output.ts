/**
 * Maps a tensor of emissions to the other scores of its conditional random field. The `crf` layer adds an entry for its output;
 * the loss, the metric and the decoders read the entry. They therefore need no reference to the layer, and a saved model stores
 * only the names of the loss and the metric.
 */
import type { CrfScores } from './ops/crf.js';
import type { Tensor } from './tensor.js';

/** The tags and transitions that the constraints of a layer allow. */
export interface AllowedTags {
  /** [K][K]: whether the tag of the column may follow the tag of the row. */
  transitions: readonly (readonly boolean[])[];
  /** [K]: whether a sequence may begin with the tag. */
  start: readonly boolean[];
  /** [K]: whether a sequence may end with the tag. */
  end: readonly boolean[];
}

export interface CrfOutput {
  /** Returns the scores as tensors of the open scope. Gradients flow to the parameters of the layer. */
  scores(): CrfScores;
  /** Null: everything is allowed. */
  allowed: AllowedTags | null;
}

const outputs = new WeakMap<Tensor, CrfOutput>();

export function setCrfOutput(emissions: Tensor, output: CrfOutput): void {
  outputs.set(emissions, output);
}

/** Returns the conditional random field of the emissions; null if they are not the output of a `crf` layer. */
export function crfOutputOf(emissions: Tensor): CrfOutput | null {
  return outputs.get(emissions) ?? null;
}
