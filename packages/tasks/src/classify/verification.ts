/**
 * Verification decides whether two sounds have the same label, such as the same speaker; the label need not occur in the training
 * data. The score of a pair is the cosine of the two embeddings after the mean embedding has been subtracted from each. The embedding
 * of a sound is the maximum and the mean, over all steps, of the outputs of the last recurrent layer of each network.
 */
import { predictAll, UnrollError } from '@unroll/core';
import { cosineSimilarity, equalErrorRate } from '@unroll/data';
import { type Functional, model, type Network } from '@unroll/nn';
import { batchesOf } from '../shared/length-batches.js';
import type { SoundPair, TaskScores } from '../shared/task.js';
import type { ClassifyEncoder, EncodedInput } from './inputs.js';

/** Inputs per batch. */
const BATCH = 128;

/**
 * Returns the embedding of each input: the pooled outputs of the networks, each scaled to length 1, concatenated.
 * @param network joined model with the logits of each network as outputs
 */
export async function embeddingsOf(
  network: Network,
  encoder: ClassifyEncoder,
  inputs: readonly EncodedInput[],
): Promise<Float32Array[]> {
  const { inputs: graphInputs, outputs } = network as Functional;
  // The logits come from dropout and a dense layer, applied to the pooled outputs.
  const pooled = outputs.map((logits) => logits.node.inputs[0].node.inputs[0]);
  const pooledModel = model({ inputs: graphInputs, outputs: pooled });
  const result: Float32Array[] = [];
  for (const rows of batchesOf(inputs, BATCH)) {
    const { x, mask } = encoder.batch(inputs, rows);
    const outputTensors = await predictAll(pooledModel, x, mask && { mask });
    const values = await Promise.all(outputTensors.map((output) => output.data()));
    for (const [i, row] of rows.entries()) {
      const parts = values.map((pooledValues) => {
        const width = pooledValues.length / rows.length;
        return toUnitLength(Float32Array.from(pooledValues.slice(i * width, (i + 1) * width)));
      });
      result[row] = Float32Array.from(parts.flatMap((part) => Array.from(part)));
    }
  }
  return result;
}

/**
 * Returns the vectors minus their mean, as is usual before speakers are compared by cosines: otherwise, what all sounds have in
 * common would hide the differences.
 */
export function centered(vectors: readonly Float32Array[]): Float32Array[] {
  const width = vectors[0]?.length ?? 0;
  const mean = new Float64Array(width);
  for (const vector of vectors) for (let i = 0; i < width; i++) mean[i] += vector[i] / vectors.length;
  return vectors.map((vector) => vector.map((value, i) => value - mean[i]));
}

function toUnitLength(values: Float32Array): Float32Array {
  const norm = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
  return norm === 0 ? values : values.map((value) => value / norm);
}

/**
 * Returns the equal error rate of pairs, and the threshold at which it is reached.
 * @param embeddings embeddings of the two sounds of each pair
 * @throws UnrollError `data` if there is no pair with the same label, or no pair with different labels
 */
export function verificationScores(
  pairs: readonly Pick<SoundPair, 'same'>[],
  embeddings: readonly (readonly [Float32Array, Float32Array])[],
  cell: string,
): TaskScores {
  const same = pairs.map((pair) => pair.same);
  const positives = same.filter(Boolean).length;
  if (positives === 0 || positives === same.length)
    throw new UnrollError(
      'data',
      `Verification needs pairs with the same label and pairs with different labels, got ${positives} and ${same.length - positives}.`,
    );
  const scores = embeddings.map(([a, b]) => cosineSimilarity(a, b));
  const { rate, threshold } = equalErrorRate(scores, same);
  const number = { format: 'number' as const };
  return {
    columns: [
      { name: 'model', title: 'model', format: 'text' },
      { name: 'eer', title: 'equal error rate', format: 'share', decimals: 1 },
      { name: 'threshold', title: 'threshold', ...number, decimals: 3 },
      { name: 'same', title: 'same', ...number },
      { name: 'different', title: 'different', ...number },
    ],
    rows: [[cell, rate, Number(threshold.toPrecision(4)), positives, same.length - positives]],
    metrics: { eer: rate, threshold },
    notes: [],
  };
}
