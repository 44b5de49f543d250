/**
 * Builds the networks of a tagger: a bidirectional LSTM with a conditional random field as the output layer (Huang et al. 2015;
 * Lample et al. 2016). A word is represented by its vector in an embedding and by the last outputs of a bidirectional LSTM
 * over its characters, which also describes unknown words.
 *
 * Several networks, which differ only in their random initial weights, batches and dropout, are joined into one model. Its scores
 * are the means of their scores (the geometric means of their probabilities, up to a factor).
 */
import {
  bidirectional,
  type Crf,
  concatenate,
  crf,
  dropout,
  embedding,
  type Functional,
  input,
  masking,
  model,
  type SymbolicTensor,
  sequential,
  spatialDropout1d,
  type TagConstraints,
  timeDistributed,
  wordDropout,
} from '@unroll/nn';
import { cellMakers, type RecurrentCellName } from '../shared/recurrent-cells.js';
import { UNKNOWN_ID } from './encoder.js';

export type TagCell = RecurrentCellName;

/** Sizes and dropout of a network. */
export interface TaggerSizes {
  cell: TagCell;
  /** Hidden units of each direction of each recurrent layer. */
  units: number;
  /** Number of recurrent layers. */
  layers: number;
  /** Width of the word embedding. */
  embedding: number;
  /** Width of the character embedding, and units of each direction over characters; 0: the network reads no characters. */
  characters: number;
  /** Dropout rate of the features of words and of the outputs of the recurrent layers. */
  dropout: number;
  /** Share of the words that are replaced by the unknown word in training. */
  wordDropout: number;
}

export interface TaggerShape extends TaggerSizes {
  /** Number of word ids, including the padding id 0. */
  vocabulary: number;
  /** Number of character ids, including the padding id 0. */
  alphabet: number;
  /** Number of tags. */
  tags: number;
  constraints: TagConstraints | null;
  /** Seed of the initial weights of each network. */
  seeds: readonly number[];
}

/** Untrained networks. Their inputs are the same word ids [N, T] and character ids [N, T, C]; outputs are scores [N, T, tags]. */
export interface TaggerNetworks {
  /** One model for each network, to train it. */
  networks: Functional[];
  /** One model with the mean of the scores. It shares the weights of all layers except the last one: see {@link joinScores}. */
  joined: Functional;
}

/** Builds the networks. */
export function taggerNetworks(shape: TaggerShape): TaggerNetworks {
  const ids = input({ shape: [null], name: 'ids' });
  const characters = shape.characters > 0 ? input({ shape: [null, null], name: 'characters' }) : null;
  const inputs = characters === null ? [ids] : [ids, characters];
  const shapes = inputs.map((tensor) => tensor.shape);
  const { tags, constraints } = shape;
  const output = (features: SymbolicTensor, name: string) => crf({ tags, constraints, name }).apply(features);
  const features = shape.seeds.map((_, n) => featuresOf(ids, characters, shape, `network${n + 1}_`));
  const networks = shape.seeds.map((seed, n) =>
    model({ inputs, outputs: output(features[n], `network${n + 1}_crf`), seed }),
  );
  for (const network of networks) network.build(shapes);
  const all = features.length === 1 ? features[0] : concatenate({ name: 'features' }).apply(features);
  const joined = model({ inputs, outputs: output(all, 'crf') });
  joined.build(shapes);
  return { networks, joined };
}

/**
 * Sets the output layer of the joined model so that its scores are the means of the scores of the trained networks.
 * @param offsets added to the score of each tag at each token
 */
export function joinScores({ networks, joined }: TaggerNetworks, offsets: readonly number[]): void {
  const count = networks.length;
  const weights = networks.map(({ layers }) => (layers.at(-1) as Crf).getWeights());
  const layer = joined.layers.at(-1) as Crf;
  const mean = (index: number): Float64Array =>
    Float64Array.from(
      weights[0][index].values,
      (_, i) => weights.reduce((sum, w) => sum + w[index].values[i], 0) / count,
    );
  const kernel = Float64Array.from(
    weights.flatMap(([{ values }]) => Array.from(values, (value) => value / count)),
  );
  const bias = mean(1).map((value, k) => value + offsets[k]);
  const values = [kernel, bias, mean(2), mean(3), mean(4)]; // 2, 3, 4: transitions, start and end scores
  layer.setWeights(layer.getWeights().map(({ shape }, i) => ({ shape, values: values[i] })));
}

/** Applies the layers of one network, without the output layer. @param prefix prefix of the names of its layers */
function featuresOf(
  ids: SymbolicTensor,
  characters: SymbolicTensor | null,
  shape: TaggerShape,
  prefix: string,
): SymbolicTensor {
  const { cell, units, layers, dropout: rate } = shape;
  const named = (name: string) => ({ name: prefix + name });
  const words = wordDropout({ rate: shape.wordDropout, id: UNKNOWN_ID, ...named('word_dropout') }).apply(ids);
  const vectors = embedding({
    ...{ inputDim: shape.vocabulary, outputDim: shape.embedding, maskZero: true, ...named('embedding') },
  }).apply(words);
  const parts = characters === null ? [vectors] : [vectors, spelling(characters, shape, named)];
  const joined = parts.length === 1 ? vectors : concatenate(named('word')).apply(parts);
  let sequence = spatialDropout1d({ rate, ...named('word_features_dropout') }).apply(joined);
  for (let layer = 1; layer <= layers; layer++) {
    const recurrent = cellMakers(cell).layer({ units, returnSequences: true, name: `${cell}${layer}` });
    sequence = bidirectional(recurrent, named(`bidirectional${layer}`)).apply(sequence);
    sequence = dropout({ rate, ...named(`dropout${layer}`) }).apply(sequence);
  }
  return sequence;
}

/** Returns a vector for each word, [N, T, 2 units], that depends only on the characters [N, T, C] of the word. */
function spelling(
  characters: SymbolicTensor,
  { cell, characters: units, alphabet }: TaggerShape,
  named: (name: string) => { name: string },
): SymbolicTensor {
  const perWord = sequential([
    embedding({ inputDim: alphabet, outputDim: units, maskZero: true }),
    bidirectional(cellMakers(cell).layer({ units })),
  ]);
  const vectors = timeDistributed(perWord, named('spelling')).apply(characters);
  return masking(named('spelling_mask')).apply(vectors); // Padding has no characters, so its vector is 0.
}
