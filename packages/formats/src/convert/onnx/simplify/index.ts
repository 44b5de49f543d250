/**
 * Replaces groups of layers by one layer with the same outputs. ONNX has operators instead of layers: exporters use several
 * nodes to write the reversal of a sequence, the sum of two directions or an activation. After these rules, the model has
 * its original layers again, and can be written for Keras and PyTorch.
 */
import type { Reference } from '../values.js';
import type { ModelWriter } from '../writer.js';
import { recogniseActivation } from './activations.js';
import { mergeDirections } from './directions.js';
import { LayerGraph, type Rule } from './graph.js';
import { convolutionPadding, lastStep, repeatedVector, reversedSequence, roundedIds } from './sequences.js';
import { unrolledRecurrence } from './unrolled.js';

const RULES: readonly Rule[] = [
  recogniseActivation,
  mergeDirections,
  reversedSequence,
  convolutionPadding,
  repeatedVector,
  roundedIds,
  lastStep,
  unrolledRecurrence,
];

/** Maximum number of rounds over a graph. Each round finds replacements that the previous round has made possible. */
const MAX_ROUNDS = 8;

/** The result of the rules. */
export interface SimplifyResult {
  /** The outputs of the model. */
  outputs: Reference[];
  /** Returns the tensor that has replaced a tensor, or the tensor itself; null if no layer computes its values any more. */
  moved(ref: Reference): Reference | null;
}

/** Applies the rules until no rule changes the graph, at most {@link MAX_ROUNDS} times. */
export function simplify(writer: ModelWriter, outputs: readonly Reference[]): SimplifyResult {
  const currentOutputs = [...outputs];
  const graph = new LayerGraph(writer, currentOutputs);
  for (let round = 0, changed = true; changed && round < MAX_ROUNDS; round++) {
    changed = false;
    for (let at = 0; at < graph.size; at++)
      for (const rule of RULES) if (graph.isUsed(at) && rule(graph, at)) changed = true;
  }
  const moved = (ref: Reference): Reference | null => {
    let current: Reference | null = ref;
    while (current && graph.moved.has(current[0])) current = graph.moved.get(current[0]) ?? null;
    return current;
  };
  return { outputs: currentOutputs, moved };
}
