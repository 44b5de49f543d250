/**
 * Builds the network of a translator: an embedding and bidirectional recurrent layers read the source; a decoder with attention
 * (Luong et al. 2015) and input feeding writes the target. The output layer shares the matrix of the embedding of the target tokens
 * (Press & Wolf 2017).
 */
import {
  bidirectional,
  dropout,
  embedding,
  type Functional,
  input,
  model,
  type SymbolicTensor,
  spatialDropout1d,
} from '@unroll/nn';
import { cellMakers, type RecurrentCellName } from '../shared/recurrent-cells.js';
import { decodedTokens } from '../shared/token-decoder.js';

export type TranslateCell = RecurrentCellName;

/** Sizes and dropout of a network. */
export interface TranslatorSizes {
  cell: TranslateCell;
  /** Hidden units of each direction of each encoder layer, and of each decoder layer. */
  units: number;
  /** Number of layers of the encoder and of the decoder. */
  layers: number;
  /** Width of both embeddings and of the decoder's output. */
  embedding: number;
  /** Dropout rate after both embeddings, each encoder layer and the decoder. */
  dropout: number;
}

export interface TranslatorShape extends TranslatorSizes {
  /** Sizes of the vocabularies, including the padding id 0. */
  sourceVocabulary: number;
  targetVocabulary: number;
  /** Seed of the initial weights. */
  seed: number;
}

/** Two untrained models that share their weights. */
export interface TranslatorNetworks {
  /** Maps source [B, S] and previous target tokens [B, T] to logits [B, T, V]. */
  training: Functional;
  /** Maps the same inputs to logits and alignments [B, T, S]. */
  inference: Functional;
}

/** Names of the inputs. */
export const SOURCE_INPUT = 'source';
export const TARGET_INPUT = 'previous';

/** Builds the network. @throws UnrollError `value` for an unknown cell */
export function translatorNetworks(shape: TranslatorShape): TranslatorNetworks {
  const { seed } = shape;
  const source = input({ shape: [null], name: SOURCE_INPUT });
  const previous = input({ shape: [null], name: TARGET_INPUT });
  const memory = encodeSource(source, shape);
  const sizes = { ...shape, vocabulary: shape.targetVocabulary };
  const [logits, alignment] = decodedTokens(previous, memory, sizes, 'target');
  const inputs = [source, previous];
  const inference = model({ inputs, outputs: [logits, alignment], seed });
  inference.build([[-1, -1], [-1, -1]]); // biome-ignore format: one line
  const training = model({ inputs, outputs: logits });
  training.build([[-1, -1], [-1, -1]]); // biome-ignore format: one line
  return { training, inference };
}

/** Applies the encoder to ids [B, S]. Returns the memory of the decoder, [B, S, 2 units]. */
function encodeSource(
  source: SymbolicTensor,
  { cell, units, layers, ...shape }: TranslatorShape,
): SymbolicTensor {
  const rate = shape.dropout;
  const vectors = embedding({
    ...{
      inputDim: shape.sourceVocabulary,
      outputDim: shape.embedding,
      maskZero: true,
      name: 'source_embedding',
    },
  }).apply(source);
  let sequence = spatialDropout1d({ rate, name: 'source_dropout' }).apply(vectors);
  for (let layer = 1; layer <= layers; layer++) {
    const recurrent = cellMakers(cell).layer({ units, returnSequences: true, name: `${cell}${layer}` });
    sequence = bidirectional(recurrent, { name: `encoder${layer}` }).apply(sequence);
    sequence = dropout({ rate, name: `encoder${layer}_dropout` }).apply(sequence);
  }
  return sequence;
}
