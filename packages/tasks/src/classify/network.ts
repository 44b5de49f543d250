/**
 * Builds the networks of a text classifier. The probabilities of a text are the mean over the networks, which differ only in
 * their random initial weights, batches and dropout: the mean is more accurate than a single network. Each network is an embedding, bidirectional recurrent layers, the largest and the mean output
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
  type SymbolicTensor,
  simpleRNN,
  spatialDropout1d,
  wordDropout,
} from '@unroll/nn';
import { UNKNOWN_ID } from './encoder.js';

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
  /** Dropout rate of the embedding and of the pooled outputs. Words are dropped at three fifths of this rate. */
  dropout: number;
}

export interface ClassifierShape extends ClassifierSizes {
  /** Size of the vocabulary, with padding as id 0. */
  vocabulary: number;
  classes: number;
  /** Seed of the initial weights of each network. */
  seeds: readonly number[];
}

/** Untrained networks from the same input: ids [N, T], with 0 as padding, to logits [N, classes]. */
export interface ClassifierNetworks {
  /** One model for each network, to train it. */
  networks: Functional[];
  /** One model with the outputs of all networks. It shares their weights. */
  joined: Functional;
}

/** Builds the networks. */
export function classifierNetworks(shape: ClassifierShape): ClassifierNetworks {
  if (!Object.hasOwn(CELLS, shape.cell)) {
    const message = `cell must be one of ${Object.keys(CELLS).join(', ')}, got "${shape.cell}".`;
    throw valueError(message, { cell: shape.cell });
  }
  const ids = input({ shape: [null], name: 'ids' });
  const outputs = shape.seeds.map((_, n) => logitsOf(ids, shape, `network${n + 1}_`));
  const networks = shape.seeds.map((seed, n) => model({ inputs: ids, outputs: outputs[n], seed }));
  for (const network of networks) network.build([[-1, -1]]);
  const joined = model({ inputs: ids, outputs });
  joined.build([[-1, -1]]);
  return { networks, joined };
}

/** Applies the layers of one network. @param prefix of the names of its layers */
function logitsOf(ids: SymbolicTensor, shape: ClassifierShape, prefix: string): SymbolicTensor {
  const { cell, units, layers, classes, dropout: rate } = shape;
  const named = (name: string) => ({ name: prefix + name });
  const words = wordDropout({ rate: 0.6 * rate, id: UNKNOWN_ID, ...named('word_dropout') }).apply(ids);
  const vectors = embedding({
    ...{ inputDim: shape.vocabulary, outputDim: shape.embedding, maskZero: true, ...named('embedding') },
  }).apply(words);
  let sequence = spatialDropout1d({ rate, ...named('embedding_dropout') }).apply(vectors);
  for (let layer = 1; layer <= layers; layer++) {
    const recurrent = CELLS[cell]({ units, returnSequences: true, name: `${cell}${layer}` });
    sequence = bidirectional(recurrent, named(`bidirectional${layer}`)).apply(sequence);
    if (layer < layers) sequence = spatialDropout1d({ rate, ...named(`dropout${layer}`) }).apply(sequence);
  }
  const pooled = concatenate(named('pooled')).apply([
    globalMaxPooling1d(named('max')).apply(sequence),
    globalAveragePooling1d(named('mean')).apply(sequence),
  ]);
  const features = dropout({ rate, ...named('pooled_dropout') }).apply(pooled);
  return dense({ units: classes, ...named('logits') }).apply(features);
}
