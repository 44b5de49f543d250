/**
 * Builds the network of a text classifier: an embedding, bidirectional recurrent layers, the largest and the mean output
 * over all steps, and a dense layer with one logit per class. Dropout applies to whole words, to features of the embedding and to
 * the pooled outputs.
 */
import { valueError } from '@unroll/core';
import {
  bidirectional,
  concatenate,
  dense,
  dropout,
  embedding,
  type Functional,
  globalAveragePooling1d,
  globalMaxPooling1d,
  gru,
  input,
  lstm,
  model,
  type Recurrent,
  type RecurrentOptions,
  simpleRNN,
  spatialDropout1d,
  wordDropout,
} from '@unroll/nn';

export type ClassifyCell = 'rnn' | 'lstm' | 'gru';
const CELLS: Readonly<Record<ClassifyCell, (options: RecurrentOptions & { units: number }) => Recurrent>> = {
  rnn: simpleRNN,
  lstm,
  gru,
};

/** Sizes and dropout of a network. */
export interface ClassifierSizes {
  cell: ClassifyCell;
  /** Hidden units of each direction of each recurrent layer. */
  units: number;
  /** Number of recurrent layers. */
  layers: number;
  /** Width of the embedding. */
  embedding: number;
  /** Dropout rate of the embedding and of the pooled outputs. Words are dropped at a fifth of this rate. */
  dropout: number;
}

export interface ClassifierShape extends ClassifierSizes {
  /** Size of the vocabulary, with padding as id 0. */
  vocabulary: number;
  /** Id of unknown words. */
  unknown: number;
  classes: number;
  seed: number;
}

/** Builds an untrained network: ids [N, T], with 0 as padding, to logits [N, classes]. */
export function classifierNetwork(shape: ClassifierShape): Functional {
  const { cell, units, layers, classes, seed, dropout: rate } = shape;
  if (!Object.hasOwn(CELLS, cell)) {
    throw valueError(`cell must be one of ${Object.keys(CELLS).join(', ')}, got "${cell}".`, { cell });
  }
  const ids = input({ shape: [null], name: 'ids' });
  const words = wordDropout({ rate: rate / 5, id: shape.unknown, name: 'word_dropout' }).apply(ids);
  const vectors = embedding({
    ...{ inputDim: shape.vocabulary, outputDim: shape.embedding, maskZero: true, name: 'embedding' },
  }).apply(words);
  let sequence = spatialDropout1d({ rate, name: 'embedding_dropout' }).apply(vectors);
  for (let layer = 1; layer <= layers; layer++) {
    const recurrent = CELLS[cell]({ units, returnSequences: true, name: `${cell}${layer}` });
    sequence = bidirectional(recurrent, { name: `bidirectional${layer}` }).apply(sequence);
    if (layer < layers) sequence = spatialDropout1d({ rate, name: `dropout${layer}` }).apply(sequence);
  }
  const pooled = concatenate({ name: 'pooled' }).apply([
    globalMaxPooling1d({ name: 'max' }).apply(sequence),
    globalAveragePooling1d({ name: 'mean' }).apply(sequence),
  ]);
  const features = dropout({ rate, name: 'pooled_dropout' }).apply(pooled);
  return model({ inputs: ids, outputs: dense({ units: classes, name: 'logits' }).apply(features), seed });
}
