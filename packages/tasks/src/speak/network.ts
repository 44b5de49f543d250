/**
 * Builds the network of a voice, a small Tacotron (Wang et al. 2017, Shen et al. 2018): an embedding, a convolution and a
 * bidirectional recurrent layer read the characters; a decoder with GMM attention that only moves forward (Battenberg et al. 2020)
 * generates several log-mel frames per step. The decoder reads the last frame of the previous step through a pre-net with a high
 * dropout rate, so that it does not merely copy this frame.
 */
import {
  bidirectional,
  conv1d,
  dense,
  dropout,
  embedding,
  type Functional,
  gaussianAttentionDecoder,
  input,
  model,
  type SymbolicTensor,
  stackedCells,
} from '@unroll/nn';
import { cellMakers, type RecurrentCellName } from '../shared/recurrent-cells.js';

export type SpeakCell = RecurrentCellName;

export interface SpeakSizes {
  cell: SpeakCell;
  /** Hidden units of the decoder; the encoder has half as many in each direction. */
  units: number;
  /** Layers of the decoder. */
  layers: number;
  /** Width of the embedding and of the convolution. */
  embedding: number;
  /** Frames per step of the decoder. */
  reduction: number;
  /** Dropout rate of the encoder. */
  dropout: number;
  /**
   * Number of characters by which the attention of the untrained decoder moves forward per step: the harmonic mean of the
   * characters per step of the training texts.
   */
  pace: number;
}

export interface SpeakShape extends SpeakSizes {
  /** Number of character ids, including padding (id 0) and the end of the text (id 1). */
  characters: number;
  /** Log-mel features of a frame. */
  mels: number;
  /** Seed of the initial weights. */
  seed: number;
}

/** Two untrained models that share their weights. */
export interface SpeakNetworks {
  /** Maps characters [B, S] and previous frames [B, T, mels] to frames [B, T, reduction * mels] and stop logits [B, T, 1]. */
  training: Functional;
  /** Has the same inputs and outputs, and a third output: alignments [B, T, S]. */
  inference: Functional;
}

/** Names of the inputs. */
export const TEXT_INPUT = 'text';
export const FRAME_INPUT = 'previous';

/** Kernel size of the convolution, in characters. */
const KERNEL = 5;
/** Units of the two layers of the pre-net, and their dropout rate. */
const PRENET = [128, 64];
const PRENET_DROPOUT = 0.5;

/** Builds the network. @throws UnrollError `value` for an unknown cell */
export function speakNetworks(shape: SpeakShape): SpeakNetworks {
  const { cell, units, layers, reduction, mels, seed, pace } = shape;
  const text = input({ shape: [null], name: TEXT_INPUT });
  const previous = input({ shape: [null, mels], name: FRAME_INPUT });
  const memory = encodeText(text, shape);
  const cells = Array.from({ length: layers }, () => cellMakers(cell).cell({ units }));
  const decoder = gaussianAttentionDecoder(layers === 1 ? cells[0] : stackedCells(cells), {
    ...{ units, initialStep: pace, returnSequences: true, returnAlignments: true, name: 'decoder' },
  });
  const [states, alignment] = decoder.apply(applyPrenet(previous), { constants: [memory] });
  const frames = dense({ units: reduction * mels, name: 'frames' }).apply(states);
  const stop = dense({ units: 1, name: 'stop' }).apply(states);
  const inputs = [text, previous];
  const inference = model({ inputs, outputs: [frames, stop, alignment], seed });
  inference.build([[-1, -1], [-1, -1, mels]]); // biome-ignore format: one line
  const training = model({ inputs, outputs: [frames, stop] });
  training.build([[-1, -1], [-1, -1, mels]]); // biome-ignore format: one line
  return { training, inference };
}

/** Applies the encoder to ids [B, S]. Returns the memory of the decoder, [B, S, units]. */
function encodeText(text: SymbolicTensor, { cell, units, characters, ...shape }: SpeakShape): SymbolicTensor {
  const { embedding: width, dropout: rate } = shape;
  const vectors = embedding({ inputDim: characters, outputDim: width, maskZero: true, name: 'characters' });
  const convolution = conv1d({
    ...{ filters: width, kernelSize: KERNEL, padding: 'same', activation: 'relu', name: 'convolution' },
  });
  const features = convolution.apply(vectors.apply(text));
  const dropped = dropout({ rate, name: 'convolution_dropout' }).apply(features);
  const recurrent = cellMakers(cell).layer({
    ...{ units: Math.ceil(units / 2), returnSequences: true, name: `${cell}_encoder` },
  });
  return bidirectional(recurrent, { name: 'encoder' }).apply(dropped);
}

/** Applies the pre-net to the previous frames. */
function applyPrenet(previous: SymbolicTensor): SymbolicTensor {
  return PRENET.reduce((sequence, units, i) => {
    const layer = dense({ units, activation: 'relu', name: `prenet${i + 1}` });
    return dropout({ rate: PRENET_DROPOUT, name: `prenet${i + 1}_dropout` }).apply(layer.apply(sequence));
  }, previous);
}
