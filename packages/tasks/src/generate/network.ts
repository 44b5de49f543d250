/**
 * Builds the network of a language model: an embedding, recurrent layers, and one score for each token of the vocabulary. For
 * words and subwords, the output layer shares the matrix of the embedding (Press & Wolf 2017, Inan et al. 2017). As in the
 * AWD-LSTM (Merity et al. 2018), dropout applies to whole features of a sequence and to recurrent weights.
 */
import {
  dense,
  type Embedding,
  embedding,
  type Layer,
  outputEmbedding,
  type Sequential,
  sequential,
  spatialDropout1d,
} from '@unroll/nn';
import { cellMakers, hasRecurrentWeights, type RecurrentCellName } from '../shared/recurrent-cells.js';

export type LanguageCell = RecurrentCellName;

/** Sizes and dropout of a network. */
export interface LanguageSizes {
  cell: LanguageCell;
  /** Hidden units of each recurrent layer. */
  units: number;
  /** Number of recurrent layers. */
  layers: number;
  /** Width of the embedding. */
  embedding: number;
  /** Dropout rate of the outputs of each recurrent layer. */
  dropout: number;
  /** Dropout rate of the recurrent weights. */
  weightDrop: number;
}

export interface LanguageShape extends LanguageSizes {
  /** Size of the vocabulary. */
  vocabulary: number;
  /** True: the output layer shares the matrix of the embedding. */
  tied: boolean;
  /** True: the layers carry their states from batch to batch, for training. */
  stateful: boolean;
  /** Seed of the initial weights. */
  seed: number;
}

/** Builds a network that maps ids [B, T] to logits [B, T, vocabulary]. */
export function languageNetwork(shape: LanguageShape): Sequential {
  const { cell, units, layers, dropout: rate, weightDrop, vocabulary, tied, stateful, seed } = shape;
  const tokens = embedding({ inputDim: vocabulary, outputDim: shape.embedding, name: 'embedding' });
  const stack: Layer[] = [tokens];
  if (tied) stack.push(spatialDropout1d({ rate: rate / 2, name: 'embedding_dropout' }));
  for (let n = 1; n <= layers; n++) {
    const name = `${cell}${n}`;
    const weightDropOption = hasRecurrentWeights(cell) ? { weightDrop } : {};
    stack.push(cellMakers(cell).layer({ units, returnSequences: true, stateful, name, ...weightDropOption }));
    stack.push(spatialDropout1d({ rate, name: `dropout${n}` }));
  }
  const network = sequential([...stack, ...scoreLayers(shape, tokens)], { seed });
  network.build([[-1, -1]]);
  return network;
}

/** Returns the layers from the outputs of the last recurrent layer to the logits. */
function scoreLayers(
  { tied, units, vocabulary, embedding: width }: LanguageShape,
  tokens: Embedding,
): Layer[] {
  if (!tied) return [dense({ units: vocabulary, name: 'logits' })];
  const scores = outputEmbedding({ tiedTo: tokens, name: 'logits' });
  return width === units ? [scores] : [dense({ units: width, name: 'projection' }), scores];
}
