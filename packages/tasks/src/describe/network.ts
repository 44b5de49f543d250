/**
 * Builds the network of a describer: convolutions and bidirectional recurrent layers read the frames; a decoder with
 * attention to the frames (Luong et al. 2015; for videos: Yao et al. 2015) writes the sentence.
 */
import {
  attention,
  attentionDecoder,
  bidirectional,
  concatenate,
  dropout,
  embedding,
  type Functional,
  input,
  model,
  outputEmbedding,
  randomNormal,
  type SymbolicTensor,
  spatialDropout1d,
  stackedCells,
} from '@unroll/nn';
import { frameFeatures } from '../shared/frames/network.js';
import { cellMakers, type RecurrentCellName } from '../shared/recurrent-cells.js';

export type DescribeCell = RecurrentCellName;

/** Sizes and dropout of a network. */
export interface DescriberSizes {
  cell: DescribeCell;
  /** Hidden units of each direction of each encoder layer, and of each decoder layer. */
  units: number;
  /** Number of layers of the encoder and of the decoder. */
  layers: number;
  /** Width of the embedding of tokens and of the decoder's output. */
  embedding: number;
  /** Dropout rate of the features of frames, of the embedding and of the outputs of each part. */
  dropout: number;
}

export interface DescriberShape extends DescriberSizes {
  /** Height, width and channels of a frame. */
  frames: readonly number[];
  /** Size of the vocabulary, with padding as id 0. */
  vocabulary: number;
  /** Seed of the initial weights. */
  seed: number;
}

/** Untrained models of one network. They share their weights. */
export interface DescriberNetworks {
  /** Clips [B, F, height, width, channels] and previous tokens [B, T] to logits [B, T, V]. */
  training: Functional;
  /** The same inputs to logits and alignments [B, T, F]. */
  inference: Functional;
}

/** Names of the inputs. */
export const CLIP_INPUT = 'clip';
export const TOKENS_INPUT = 'previous';

/** Builds the network. @throws UnrollError `value` for an unknown cell */
export function describerNetworks(shape: DescriberShape): DescriberNetworks {
  const { cell, units, layers, dropout: rate, embedding: width, seed } = shape;
  const clip = input({ shape: [null, ...shape.frames], name: CLIP_INPUT });
  const previous = input({ shape: [null], name: TOKENS_INPUT });
  const memory = encoded(clip, shape);
  const table = embedding({
    ...{ inputDim: shape.vocabulary, outputDim: width, name: 'token_embedding' },
    embeddingsInitializer: randomNormal({ stddev: 2 / Math.sqrt(width) }), // vectors of norm 2, as in translate/network.ts
  });
  const vectors = spatialDropout1d({ rate, name: 'token_dropout' }).apply(table.apply(previous));
  const cells = Array.from({ length: layers }, () => cellMakers(cell).cell({ units }));
  const decoder = attentionDecoder(
    layers === 1 ? cells[0] : stackedCells(cells),
    attention({ scoreMode: 'general' }),
    { units: width, returnSequences: true, returnAlignments: true, name: 'decoder' },
  );
  const [states, alignment] = decoder.apply(vectors, { constants: [memory] });
  const features = dropout({ rate, name: 'decoder_dropout' }).apply(states);
  const logits = outputEmbedding({ tiedTo: table, name: 'logits' }).apply(features);
  const inputs = [clip, previous];
  const shapes = [[-1, -1, ...shape.frames], [-1, -1]]; // biome-ignore format: one line
  const inference = model({ inputs, outputs: [logits, alignment], seed });
  inference.build(shapes);
  const training = model({ inputs, outputs: logits });
  training.build(shapes);
  return { training, inference };
}

/**
 * Applies the encoder: clips to the memory of the decoder, what each frame shows and how it moves [B, F, features + 2 units].
 */
function encoded(
  clip: SymbolicTensor,
  { cell, units, layers, frames, dropout: rate }: DescriberShape,
): SymbolicTensor {
  const features = frameFeatures(clip, frames, { rate, prefix: '' });
  let sequence = features;
  for (let layer = 1; layer <= layers; layer++) {
    const recurrent = cellMakers(cell).layer({ units, returnSequences: true, name: `${cell}${layer}` });
    sequence = bidirectional(recurrent, { name: `encoder${layer}` }).apply(sequence);
    sequence = dropout({ rate, name: `encoder${layer}_dropout` }).apply(sequence);
  }
  return concatenate({ name: 'frames_and_motion' }).apply([sequence, features]);
}
