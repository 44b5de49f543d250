/**
 * The layers that read frames: convolutions with max pooling inside `timeDistributed`, and for each frame its features: a dense
 * layer over all positions, which knows where something is, and the largest value of each filter, which knows what there is.
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
const LAST_SIDE = 4;

/** Number of features of a frame. */
export const FRAME_FEATURES = POSITIONS + FILTERS[FILTERS.length - 1];

/** How a convolution moves, and whether pooling follows. */
interface Step {
  filters: number;
  kernelSize: number;
  strides: number;
  pools: boolean;
}

/** Returns the convolutions for frames of a size: each halving of the image is a stride of the first, or a pooling. */
function stepsOf(side: number): Step[] {
  const halvings = Math.max(0, Math.round(Math.log2(side / LAST_SIDE)));
  const strided = halvings >= FILTERS.length;
  const pools = halvings - Number(strided);
  return FILTERS.map((filters, n) => ({
    filters,
    kernelSize: 3,
    strides: n === 0 && strided ? 2 : 1,
    pools: n < pools,
  }));
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
  for (const [n, { pools, ...step }] of stepsOf(Math.min(height, width)).entries()) {
    const options = { ...step, padding: 'same', activation: 'relu', kernelInitializer: 'heNormal' } as const;
    images = each(conv2d(options), `convolution${n + 1}`, images);
    size = size.map((side) => Math.ceil(side / step.strides));
    if (!pools) continue;
    images = each(maxPooling2d({ poolSize: 2, padding: 'same' }), `pooling${n + 1}`, images);
    size = size.map((side) => Math.ceil(side / 2));
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
