/**
 * Dropout (Srivastava et al. 2014): in training, sets random elements to 0 and scales up the others to preserve the
 * expected sum. `dropout` drops single elements, or the parts that `noiseShape` defines; `spatialDropout1d` drops whole
 * features of a sequence; `wordDropout` replaces ids.
 */
import { type ForwardContext, type MaskedSequence, mul, type Shape } from '@unroll/core';
import { checkOptions, formatValue, hostTensor, hostValues } from '@unroll/core/internal';
import { checkRate } from '../cells/matrix-cell.js';
import { Layer, type LayerOptions } from '../layer.js';
import { LAYER } from '../option-names.js';
import { seededStream, sequenceStream } from '../seeds.js';

interface RateOptions extends LayerOptions {
  /** Fraction of the elements to drop, in [0, 1). */
  rate: number;
  /** Seed of the mask. Default: the mask is drawn from the random stream of the training run. */
  seed?: number;
}

export interface DropoutOptions extends RateOptions {
  /**
   * Shape of the random mask, which is broadcast to x; null: the size of x on this axis. `[null, 1, null]` drops whole
   * features of a sequence. Default: the shape of x.
   */
  noiseShape?: readonly (number | null)[];
}

export type SpatialDropout1DOptions = RateOptions;

export class Dropout extends Layer<DropoutOptions> {
  static override readonly className = 'Dropout';

  constructor(options: DropoutOptions) {
    super(options);
    checkRate(this.label, 'rate', options.rate);
    const { noiseShape } = options;
    if (noiseShape?.some((extent) => extent !== null && !(Number.isInteger(extent) && extent >= 1)))
      throw this.error(
        'value',
        `noiseShape must contain positive integers or null, got ${formatValue(noiseShape)}.`,
      );
  }

  outputShapes([x]: readonly Shape[]): Shape[] {
    const { noiseShape } = this.options;
    if (noiseShape && noiseShape.length !== x.length) {
      throw this.shapeError(x, `rank ${noiseShape.length}, the rank of noiseShape`);
    }
    return [x];
  }

  call([x]: readonly MaskedSequence[], context: ForwardContext): MaskedSequence[] {
    const { rate, noiseShape, seed } = this.options;
    if (!context.training || rate === 0) return [x];
    const shape = x.value.shape.map((extent, d) => noiseShape?.[d] ?? extent);
    if (shape.some((extent, d) => extent !== 1 && extent !== x.value.shape[d]))
      throw this.shapeError(
        x.value.shape,
        `a shape to which noiseShape [${shape.join(', ')}] can be broadcast`,
      );
    const stream = noiseShape?.[1] === 1 ? sequenceStream(context, seed) : seededStream(context.random, seed);
    const mask = stream.dropoutMask(shape, rate);
    return [{ value: mul(x.value, mask), mask: x.mask }];
  }

  override streaming(inputs: readonly boolean[]): boolean[] {
    return [...inputs];
  }
}

export class SpatialDropout1D extends Layer<SpatialDropout1DOptions> {
  static override readonly className = 'SpatialDropout1D';

  constructor(options: SpatialDropout1DOptions) {
    super(options);
    checkRate(this.label, 'rate', options.rate);
  }

  outputShapes([x]: readonly Shape[]): Shape[] {
    if (x.length !== 3) throw this.shapeError(x, 'a sequence [batch, time, features]');
    return [x];
  }

  call([x]: readonly MaskedSequence[], context: ForwardContext): MaskedSequence[] {
    const { rate, seed } = this.options;
    if (!context.training || rate === 0) return [x];
    const [B, , width] = x.value.shape;
    const mask = sequenceStream(context, seed).dropoutMask([B, 1, width], rate);
    return [{ value: mul(x.value, mask), mask: x.mask }];
  }

  override streaming(inputs: readonly boolean[]): boolean[] {
    return [...inputs];
  }
}

export interface WordDropoutOptions extends LayerOptions {
  /** Probability with which an id is replaced, in [0, 1). */
  rate: number;
  /** The id of unknown words, which replaces the dropped ids. */
  id: number;
  /** The id of padding, which is never replaced; null: there is none. Default 0. */
  paddingId?: number | null;
  /** Seed of the replacements. Default: they are drawn from the random stream of the training run. */
  seed?: number;
}

export class WordDropout extends Layer<WordDropoutOptions> {
  static override readonly className = 'WordDropout';

  constructor(options: WordDropoutOptions) {
    super(options);
    checkRate(this.label, 'rate', options.rate);
    const { id, paddingId = 0 } = options;
    for (const [name, value] of Object.entries({ id, paddingId: paddingId ?? 0 })) {
      if (!Number.isInteger(value) || value < 0)
        throw this.error('value', `${name} must be a non-negative integer, got ${formatValue(value)}.`);
    }
    if (id === paddingId) throw this.error('value', `id must differ from paddingId, got ${id} for both.`);
  }

  outputShapes([ids]: readonly Shape[]): Shape[] {
    return [ids];
  }

  call([ids]: readonly MaskedSequence[], context: ForwardContext): MaskedSequence[] {
    const { rate, id: unknownId, paddingId = 0, seed } = this.options;
    if (!context.training || rate === 0) return [ids];
    const values = hostValues(ids.value, `The input of ${this.label}`);
    const valid = ids.mask && hostValues(ids.mask, 'A mask');
    const width = ids.mask ? values.length / ids.mask.size : 1;
    const draws = seededStream(context.random, seed).uniform(values.length);
    const isWord = (id: number, i: number): boolean =>
      id !== paddingId && (valid === null || valid[Math.floor(i / width)] !== 0);
    const replaced = values.map((id, i) => (draws[i] < rate && isWord(id, i) ? unknownId : id));
    return [{ value: hostTensor(replaced, ids.value.shape), mask: ids.mask }];
  }

  override streaming(inputs: readonly boolean[]): boolean[] {
    return [...inputs];
  }
}

/** Creates a layer that applies dropout to x of any shape. */
export function dropout(options: DropoutOptions): Dropout {
  checkOptions('dropout', options, { rate: 'fraction', noiseShape: 'array', seed: 'integer', ...LAYER });
  return new Dropout(options);
}

/**
 * Creates a layer that drops whole features of sequences x [B, T, I]: each sequence has one mask [I] for all of its steps.
 * This is Keras's SpatialDropout1D, the variational dropout of Gal & Ghahramani 2016 and the "locked" dropout of the
 * AWD-LSTM (Merity et al. 2018). It equals `dropout` with `noiseShape: [null, 1, null]`.
 */
export function spatialDropout1d(options: SpatialDropout1DOptions): SpatialDropout1D {
  checkOptions('spatialDropout1d', options, { rate: 'fraction', seed: 'integer', ...LAYER });
  return new SpatialDropout1D(options);
}

/**
 * Creates a layer that in training replaces each id of [B, T] by the id of unknown words with a given probability (word
 * dropout, Iyyer et al. 2015), so that the model learns a vector for unknown words. Padding and masked steps are never
 * replaced. Put the layer before `embedding`.
 */
export function wordDropout(options: WordDropoutOptions): WordDropout {
  checkOptions('wordDropout', options, {
    rate: 'fraction',
    id: 'nonNegativeInteger',
    paddingId: true,
    seed: 'integer',
    ...LAYER,
  });
  return new WordDropout(options);
}
