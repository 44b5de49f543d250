/**
 * Builds the network of a transcriber: a convolution that shortens the sequence, recurrent layers (bidirectional, but in one
 * direction for streaming), and for CTC a dense layer with one logit per token and one for the blank. attention.ts builds the
 * network with an attention decoder.
 */
import {
  bidirectional,
  conv1d,
  dense,
  dropout,
  type Functional,
  input,
  model,
  type SymbolicTensor,
  spatialDropout1d,
} from '@unroll/nn';
import { cellMakers, type RecurrentCellName } from '../shared/recurrent-cells.js';

export type TranscribeCell = RecurrentCellName;

/** Name of the input with the frames. */
export const FRAMES_INPUT = 'frames';

/** Kernel size of the convolution, in frames. */
const KERNEL = 5;

export interface TranscriberSizes {
  cell: TranscribeCell;
  /** Hidden units of each direction of each recurrent layer. */
  units: number;
  layers: number;
  /** Filters of the convolution. */
  filters: number;
  /** Frames per output step. */
  reduction: number;
  dropout: number;
  /** True: no output depends on later frames. */
  streaming: boolean;
}

/** Returns the number of output steps for a number of frames. */
export const stepsOf = (frames: number, reduction: number): number => Math.ceil(frames / reduction);

/** Builds the network for CTC, which maps frames [N, T, inputs] to logits [N, ceil(T / reduction), classes]. */
export function transcriberNetwork(
  sizes: TranscriberSizes,
  { inputs, classes, seed }: { inputs: number; classes: number; seed: number },
): Functional {
  const frames = input({ shape: [null, inputs], name: FRAMES_INPUT });
  const outputs = dense({ units: classes, name: 'logits' }).apply(encodedFrames(frames, sizes));
  const network = model({ inputs: frames, outputs, seed });
  network.build([[-1, -1, inputs]]);
  return network;
}

/** Applies the convolution and the recurrent layers to frames [N, T, inputs]. Returns [N, ceil(T / reduction), features]. */
export function encodedFrames(
  frames: SymbolicTensor,
  { cell, units, layers, filters, reduction, dropout: rate, streaming }: TranscriberSizes,
): SymbolicTensor {
  const padding = streaming ? 'causal' : 'same';
  const convolution = conv1d({
    ...{ filters, kernelSize: KERNEL, strides: reduction, padding, activation: 'relu', name: 'convolution' },
  });
  let sequence = spatialDropout1d({ rate: rate / 2, name: 'convolution_dropout' }).apply(
    convolution.apply(frames),
  );
  for (let layer = 1; layer <= layers; layer++) {
    const recurrent = cellMakers(cell).layer({ units, returnSequences: true, name: `${cell}${layer}` });
    const applied = streaming ? recurrent : bidirectional(recurrent, { name: `bidirectional${layer}` });
    sequence = dropout({ rate, name: `dropout${layer}` }).apply(applied.apply(sequence));
  }
  return sequence;
}
