/**
 * Builds the network of a describer: convolutions and bidirectional recurrent layers read the frames; a decoder with
 * attention to the frames (Luong et al. 2015; for videos: Yao et al. 2015) writes the sentence.
 */
import {
  bidirectional,
  concatenate,
  dropout,
  type Functional,
  input,
  model,
  type SymbolicTensor,
} from '@unroll/nn';
import { frameFeatures } from '../shared/frames/network.js';
import { cellMakers, type RecurrentCellName } from '../shared/recurrent-cells.js';
import { decodedTokens } from '../shared/token-decoder.js';

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
  /** Dropout rate after the frame features, the embedding, each encoder layer and the decoder. */
  dropout: number;
}

export interface DescriberShape extends DescriberSizes {
  /** Height, width and channels of a frame. */
  frames: readonly number[];
  /** Size of the vocabulary, including the padding id 0. */
  vocabulary: number;
  /** Seed of the initial weights. */
  seed: number;
}

/** Two untrained models that share their weights. */
export interface DescriberNetworks {
  /** Maps clips [B, F, height, width, channels] and previous tokens [B, T] to logits [B, T, V]. */
  training: Functional;
  /** Maps the same inputs to logits and alignments [B, T, F]. */
  inference: Functional;
}

/** Names of the inputs. */
export const CLIP_INPUT = 'clip';
export const TOKENS_INPUT = 'previous';

/** Builds the network. @throws UnrollError `value` for an unknown cell */
export function describerNetworks(shape: DescriberShape): DescriberNetworks {
  const { seed } = shape;
  const clip = input({ shape: [null, ...shape.frames], name: CLIP_INPUT });
  const previous = input({ shape: [null], name: TOKENS_INPUT });
  const memory = encodeClip(clip, shape);
  const [logits, alignment] = decodedTokens(previous, memory, shape);
  const inputs = [clip, previous];
  const shapes = [[-1, -1, ...shape.frames], [-1, -1]]; // biome-ignore format: one line
  const inference = model({ inputs, outputs: [logits, alignment], seed });
  inference.build(shapes);
  const training = model({ inputs, outputs: logits });
  training.build(shapes);
  return { training, inference };
}

/**
 * Applies the encoder. Returns the memory of the decoder [B, F, 2 units + features]: for each frame, the outputs of the last
 * recurrent layer and the features of the frame.
 */
function encodeClip(
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
