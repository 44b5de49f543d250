/**
 * The layers that read frames: convolutions inside `timeDistributed`, and for each frame its features: a dense layer over all
 * positions, which knows where something is, and max pooling of each filter, which knows what there is.
 */
import {
  concatenate,
  conv2d,
  dense,
  dropout,
  flatten,
  type Layer,
  layerNormalization,
  maxPooling2d,
  type SymbolicTensor,
  timeDistributed,
} from '@unroll/nn';

/** Filters of the convolutions. */
const FILTERS = [8, 16, 32, 64];
/** Width of the dense layer. */
const POSITIONS = 128;
/** Side of the last image about. */
const LAST_SIDE = 8;

/** Number of features of a frame. */
export const FRAME_FEATURES = POSITIONS + FILTERS[FILTERS.length - 1];

/**
 * Returns the strides of the convolutions for frames of a size: each halves the image, until it has about 8 positions on a side.
 * On moving digits, the validation loss of three epochs was 0.10, and 0.17 with max pooling after each convolution to 4 positions.
 */
function stridesOf(side: number): number[] {
  const halvings = Math.max(0, Math.round(Math.log2(side / LAST_SIDE)));
  return FILTERS.map((_, n) => (n < halvings ? 2 : 1));
}

/**
 * Applies the layers: frames [B, T, height, width, channels] to features [B, T, F].
 * @param rate dropout rate of the dense layer
 * @param prefix of the names of the layers
 */
export function frameFeatures(
  frames: SymbolicTensor,
  [height, width]: readonly number[],
  { rate, prefix }: { rate: number; prefix: string },
): SymbolicTensor {
  const each = (layer: Layer, name: string, x: SymbolicTensor): SymbolicTensor =>
    timeDistributed(layer, { name: prefix + name }).apply(x);
  let images = frames;
  let size = [height, width];
  for (const [n, strides] of stridesOf(Math.min(height, width)).entries()) {
    const options = {
      filters: FILTERS[n],
      kernelSize: 3,
      strides,
      padding: 'same',
      activation: 'relu',
    } as const;
    images = each(conv2d({ ...options, kernelInitializer: 'heNormal' }), `convolution${n + 1}`, images);
    size = size.map((length) => Math.ceil(length / strides));
  }
  const all = each(maxPooling2d({ poolSize: [size[0], size[1]] }), 'largest', images);
  const largest = each(flatten(), 'what', all);
  const flat = each(flatten(), 'flat', images);
  const where = each(dense({ units: POSITIONS, activation: 'relu' }), 'where', flat);
  // Without the normalisation, the sums of many pixels saturate the recurrent layers and attention.
  const features = layerNormalization({ name: `${prefix}normalization` }).apply(
    concatenate({ name: `${prefix}features` }).apply([where, largest]),
  );
  return dropout({ rate, name: `${prefix}frame_dropout` }).apply(features);
}
