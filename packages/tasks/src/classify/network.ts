/**
 * Builds the networks of a classifier. The probabilities of an input are the mean over the networks, which differ only in
 * their random initial weights, batches and dropout: the mean is more accurate than a single network. Each network is an
 * embedding (for texts), bidirectional recurrent layers, the maximum and the mean of the outputs over all steps, and a dense layer
 * with one logit per class. Before the recurrent layers, convolutions convert the frames of a clip to features, and find short
 * patterns in numeric sequences. Dropout applies to whole words, to the features of each step and to the pooled outputs. For texts,
 * an n-gram model may be added (ngrams.ts).
 */
import { RandomStream, type Tensor, tensor } from '@unroll/core';
import type { Vectors } from '@unroll/data';
import {
  activation,
  batchNormalization,
  bidirectional,
  concatenate,
  conv1d,
  dense,
  dropout,
  embedding,
  type Functional,
  globalAveragePooling1d,
  globalMaxPooling1d,
  input,
  type Layer,
  maxPooling1d,
  model,
  type Network,
  type SymbolicTensor,
  spatialDropout1d,
  wordDropout,
} from '@unroll/nn';
import { frameFeatures } from '../shared/frames/network.js';
import { cellMakers, type RecurrentCellName } from '../shared/recurrent-cells.js';
import { UNKNOWN_ID } from './encoder.js';

export type ClassifyCell = RecurrentCellName;

/** Number of convolutions over the steps of numeric sequences, and their kernel size in steps. */
const CONVOLUTIONS = 2;
const KERNEL = 5;

/** Sizes and dropout of a network. */
export interface ClassifierSizes {
  cell: ClassifyCell;
  /** Hidden units of each direction of each recurrent layer. */
  units: number;
  /** Number of recurrent layers. */
  layers: number;
  /** Width of the embedding of texts; null for other inputs. */
  embedding: number | null;
  /** Filters of each of the two convolutions over the steps of numeric sequences; 0: no convolutions. */
  filters: number;
  /**
   * Dropout rate after the embedding, between recurrent layers and after the pooling. It is multiplied by 0.6 for whole words, by
   * 0.4 for the outputs of convolutions and the features of frames, and by 0.2 for the features of sequences and sounds.
   */
  dropout: number;
}

export interface ClassifierShape extends ClassifierSizes {
  /** Size of the vocabulary (id 0 is padding), or number of features of a step. */
  inputs: number;
  /** Height, width and channels of the frames of clips; null for other inputs. Default null. */
  frames?: readonly number[] | null;
  classes: number;
  /** Seed of the initial weights of each network. */
  seeds: readonly number[];
  /** Pretrained vectors of the tokens. Default null: random vectors. */
  vectors?: Vectors | null;
  /** The n-gram model (ngrams.ts). Default null: there is none. */
  ngrams?: Functional | null;
}

/** Returns the recurrent networks of a joined model, without the n-gram model. */
export function recurrentPart(joined: Network): Network {
  const { inputs, outputs } = joined as Functional;
  if (inputs.length === 1) return joined;
  const network = model({ inputs: inputs[0], outputs: outputs.slice(0, -1) });
  network.build([[-1, -1]]);
  return network;
}

/**
 * Untrained networks that read the same input and return logits [N, classes]. The input is ids [N, T] with 0 as padding, sequences
 * or frames of sounds [N, T, F], or clips [N, T, height, width, channels].
 */
export interface ClassifierNetworks {
  /** One model for each network, to train it. */
  networks: Functional[];
  /**
   * One model that shares the weights of all networks and has all their outputs. If there is an n-gram model, its input is the
   * second one and its output the last one.
   */
  joined: Functional;
}

/** Builds and returns the networks. */
export function classifierNetworks(shape: ClassifierShape): ClassifierNetworks {
  const isText = shape.embedding !== null;
  const step = shape.frames ?? [shape.inputs];
  const inputs = isText
    ? input({ shape: [null], name: 'ids' })
    : input({ shape: [null, ...step], name: shape.frames ? 'clip' : 'sequence' });
  const outputs = shape.seeds.map((seed, n) => logitsOf(inputs, shape, seed, `network${n + 1}_`));
  const networks = shape.seeds.map((seed, n) => model({ inputs, outputs: outputs[n], seed }));
  const { ngrams = null } = shape;
  const joined = model({
    inputs: [inputs, ...(ngrams?.inputs ?? [])],
    outputs: [...outputs, ...(ngrams?.outputs ?? [])],
  });
  const extents = isText ? [-1, -1] : [-1, -1, ...step];
  for (const network of networks) network.build([extents]);
  joined.build([extents, ...(ngrams === null ? [] : [[-1, -1]])]);
  return { networks, joined };
}

/**
 * Applies the layers of one network and returns its logits.
 * @param seed seed of the random vectors of tokens without a pretrained vector
 * @param prefix prefix of the names of the layers
 */
function logitsOf(
  inputs: SymbolicTensor,
  shape: ClassifierShape,
  seed: number,
  prefix: string,
): SymbolicTensor {
  const { cell, units, layers, classes, dropout: rate } = shape;
  const named = (name: string) => ({ name: prefix + name });
  const steps =
    shape.embedding === null ? features(inputs, shape, prefix) : embedded(inputs, shape, { seed, named });
  let sequence = steps;
  for (let layer = 1; layer <= layers; layer++) {
    const recurrent = cellMakers(cell).layer({ units, returnSequences: true, name: `${cell}${layer}` });
    sequence = bidirectional(recurrent, named(`bidirectional${layer}`)).apply(sequence);
    if (layer < layers) sequence = spatialDropout1d({ rate, ...named(`dropout${layer}`) }).apply(sequence);
  }
  // The features of the frames bypass the recurrent layers, which then have to learn only the motion.
  if (shape.frames) sequence = concatenate(named('frames_and_motion')).apply([sequence, steps]);
  const pooled = concatenate(named('pooled')).apply([
    globalMaxPooling1d(named('max')).apply(sequence),
    globalAveragePooling1d(named('mean')).apply(sequence),
  ]);
  const last = dropout({ rate, ...named('pooled_dropout') }).apply(pooled);
  return dense({ units: classes, ...named('logits') }).apply(last);
}

/** Returns the features of the steps, with dropout. */
function features(
  inputs: SymbolicTensor,
  { frames, filters, dropout: rate }: ClassifierShape,
  prefix: string,
): SymbolicTensor {
  if (frames) return frameFeatures(inputs, frames, { rate: 0.4 * rate, prefix });
  const first = spatialDropout1d({ rate: 0.2 * rate, name: `${prefix}feature_dropout` }).apply(inputs);
  return filters === 0 ? first : patterns(first, filters, { rate: 0.4 * rate, prefix });
}

/** Applies the convolutions, each followed by pooling that halves the number of steps. */
function patterns(
  inputs: SymbolicTensor,
  filters: number,
  { rate, prefix }: { rate: number; prefix: string },
): SymbolicTensor {
  const layers = Array.from({ length: CONVOLUTIONS }, (_, n) => {
    const named = (name: string) => ({ name: `${prefix}${name}${n + 1}` });
    const common = { filters, kernelSize: KERNEL, padding: 'same', useBias: false } as const;
    return [
      conv1d({ ...common, kernelInitializer: 'heNormal', ...named('convolution') }),
      // Without batch normalization, the accuracy on J-HMDB poses is lower.
      batchNormalization({ momentum: 0.9, ...named('normalization') }),
      activation({ activation: 'relu', ...named('relu') }),
      maxPooling1d({ poolSize: 2, padding: 'same', ...named('pooling') }),
      spatialDropout1d({ rate, ...named('convolution_dropout') }),
    ];
  });
  return layers.flat().reduce((x: SymbolicTensor, layer: Layer) => layer.apply(x), inputs);
}

/** Applies the embedding, with dropout of whole words and of features. */
function embedded(
  ids: SymbolicTensor,
  { inputs, embedding: size, dropout: rate, vectors = null }: ClassifierShape,
  { seed, named }: { seed: number; named: (name: string) => { name: string } },
): SymbolicTensor {
  const words = wordDropout({ rate: 0.6 * rate, id: UNKNOWN_ID, ...named('word_dropout') }).apply(ids);
  const table = embedding({
    ...{ inputDim: inputs, outputDim: size ?? 1, maskZero: true, ...named('embedding') },
    ...(vectors !== null && { weights: initialVectors(vectors, seed) }),
  });
  return spatialDropout1d({ rate, ...named('embedding_dropout') }).apply(table.apply(words));
}

/** Returns the vectors [V, width]: pretrained vectors, and random vectors of the same root mean square for the other tokens. */
function initialVectors({ values, found, width }: Vectors, seed: number): Tensor {
  let [sum, count] = [0, 0];
  for (let i = 0; i < values.length; i++) {
    if (found[Math.floor(i / width)] === 0) continue;
    sum += values[i] ** 2;
    count++;
  }
  const deviation = count === 0 ? 0.05 : Math.sqrt(sum / count);
  const random = new RandomStream(seed, 'classify', 'vectors').normal(values.length, 0, deviation);
  const all = Float32Array.from(values, (value, i) =>
    found[Math.floor(i / width)] === 0 ? random[i] : value,
  );
  return tensor(all, [found.length, width]);
}
