/**
 * The decoder of tasks that write texts: an embedding of the previous tokens, and a recurrent decoder with input feeding and
 * attention to the outputs of the encoder (Luong et al. 2015). The logits of the next token are the products of the decoder's output
 * and the embeddings of all tokens (Press & Wolf 2017).
 */
import {
  attention,
  attentionDecoder,
  dropout,
  embedding,
  outputEmbedding,
  randomNormal,
  type SymbolicTensor,
  spatialDropout1d,
  stackedCells,
} from '@unroll/nn';
import { cellMakers, type RecurrentCellName } from './recurrent-cells.js';

export interface TokenDecoderSizes {
  cell: RecurrentCellName;
  /** Hidden units of each layer. */
  units: number;
  layers: number;
  /** Width of the embedding and of the decoder's output. */
  embedding: number;
  /** Dropout rate of the embedding and of the output. */
  dropout: number;
  /** Size of the vocabulary, with padding as id 0. */
  vocabulary: number;
}

/**
 * Applies the decoder to the previous tokens.
 * @param previous ids of the previous tokens [B, T]
 * @param memory outputs of the encoder [B, S, D]
 * @param prefix prefix of the names of the embedding and its dropout
 * @returns logits [B, T, V] and alignments [B, T, S]
 */
export function decodedTokens(
  previous: SymbolicTensor,
  memory: SymbolicTensor,
  { cell, units, layers, embedding: width, dropout: rate, vocabulary }: TokenDecoderSizes,
  prefix = 'token',
): [logits: SymbolicTensor, alignment: SymbolicTensor] {
  const table = embedding({
    ...{ inputDim: vocabulary, outputDim: width, name: `${prefix}_embedding` },
    // The vectors have a norm of about 2. With the smaller default, the outputs of the decoder hardly differ between tokens at first,
    // and attention takes several times as many steps to learn.
    embeddingsInitializer: randomNormal({ stddev: 2 / Math.sqrt(width) }),
  });
  const vectors = spatialDropout1d({ rate, name: `${prefix}_dropout` }).apply(table.apply(previous));
  const cells = Array.from({ length: layers }, () => cellMakers(cell).cell({ units }));
  const decoder = attentionDecoder(
    layers === 1 ? cells[0] : stackedCells(cells),
    attention({ scoreMode: 'general' }),
    { units: width, returnSequences: true, returnAlignments: true, name: 'decoder' },
  );
  const [states, alignment] = decoder.apply(vectors, { constants: [memory] });
  const features = dropout({ rate, name: 'decoder_dropout' }).apply(states);
  return [outputEmbedding({ tiedTo: table, name: 'logits' }).apply(features), alignment];
}
