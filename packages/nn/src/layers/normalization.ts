/**
 * Normalisation layers. `batchNormalization` (Ioffe & Szegedy 2015) normalises over the batch and, for sequences, over
 * all valid steps. `layerNormalization` (Ba, Kiros & Hinton 2016) normalises each step over its features.
 */
import {
  add,
  broadcastTo,
  div,
  type ForwardContext,
  formatShape,
  keep,
  layerNorm,
  type MaskedSequence,
  mean as meanOf,
  mul,
  type Parameter,
  reshape,
  type Shape,
  sqrt,
  square,
  stopGradient,
  sub,
  sum,
  type Tensor,
} from '@unroll/core';
import { checkOptions, formatValue, type OptionTypes, valuesOf } from '@unroll/core/internal';
import { canFuse } from '../cells/matrix-cell.js';
import type { Constraint } from '../constraints.js';
import type { Initializer } from '../initializers.js';
import { Layer, type LayerOptions } from '../layer.js';
import { zeroMaskedSteps } from '../masks.js';
import { LAYER } from '../option-names.js';
import type { Regularizer } from '../regularizers.js';

interface NormalizationOptions extends LayerOptions {
  /** Added to the variance to avoid a division by 0. Default 0.001. */
  epsilon?: number;
  /** Learn an offset β. Default true. */
  center?: boolean;
  /** Learn a factor γ. Default true. */
  scale?: boolean;
  /** Initialiser of β. Default `zeros`. */
  betaInitializer?: Initializer;
  /** Initialiser of γ. Default `ones`. */
  gammaInitializer?: Initializer;
  /** Regularisers of β and γ. Default: none. */
  betaRegularizer?: Regularizer | null;
  gammaRegularizer?: Regularizer | null;
  /** Constraints on β and γ after each update. Default: none. */
  betaConstraint?: Constraint | null;
  gammaConstraint?: Constraint | null;
}

export interface BatchNormalizationOptions extends NormalizationOptions {
  /** The feature axis. Statistics are computed for each feature separately. Default -1. */
  axis?: number;
  /** Weight of the previous moving statistics in each update. Default 0.99. */
  momentum?: number;
  /** Initialiser of the moving mean. Default `zeros`. */
  movingMeanInitializer?: Initializer;
  /** Initialiser of the moving variance. Default `ones`. */
  movingVarianceInitializer?: Initializer;
}

export interface LayerNormalizationOptions extends NormalizationOptions {
  /** The axis or axes to normalise over. Default -1. */
  axis?: number | readonly number[];
}

abstract class Normalization<O extends NormalizationOptions> extends Layer<O> {
  protected gamma: Parameter | null = null;
  protected beta: Parameter | null = null;
  /** The rank of the input; 0 before the layer is built. */
  #rank = 0;

  outputShapes([x]: readonly Shape[]): Shape[] {
    const axes = this.axes(x);
    const parameter = this.gamma ?? this.beta;
    const shape = axes.map((axis) => x[axis]);
    if (shape.includes(-1)) {
      const overTime = x[1] === -1 && axes.includes(1);
      const remedy =
        'Normalisation over the time axis needs a fixed number of steps and cannot be streamed: ' +
        'use predict() on whole sequences.';
      throw this.shapeError(x, `known sizes along axis ${axes.join(', ')}`, overTime ? remedy : '');
    }
    if (parameter?.shape.some((extent, i) => extent !== shape[i])) {
      throw this.shapeError(x, `size ${parameter.shape.join(', ')} along axis ${axes.join(', ')}`);
    }
    return [x];
  }

  /** Returns the axes of γ and β, ascending. */
  protected axes(x: Shape): number[] {
    const { axis = -1 } = this.options as { axis?: number | readonly number[] };
    const list = [axis].flat().map((d) => (d < 0 ? d + x.length : d));
    const outOfRange = list.some((d) => !Number.isInteger(d) || d < 1 || d >= x.length);
    if (outOfRange || list.length === 0 || new Set(list).size < list.length) {
      const expected = 'distinct non-batch axes of the input';
      const got = `${formatValue(axis)} for an input of shape ${formatShape(x)}`;
      throw this.error('shape', `axis must be ${expected}, got ${got}.`, { got: x, expected });
    }
    return list.sort((a, b) => a - b);
  }

  protected override makeParameters([x]: readonly Shape[]): void {
    this.#rank = x.length;
    const shape = this.axes(x).map((axis) => x[axis]);
    const o = this.options;
    if (o.scale !== false) {
      const options = { regularizer: o.gammaRegularizer, constraint: o.gammaConstraint };
      this.gamma = this.addParameter('gamma', shape, o.gammaInitializer ?? 'ones', options);
    }
    if (o.center !== false) {
      const options = { regularizer: o.betaRegularizer, constraint: o.betaConstraint };
      this.beta = this.addParameter('beta', shape, o.betaInitializer ?? 'zeros', options);
    }
  }

  /** Returns √(variance + ε). */
  protected deviation(variance: Tensor): Tensor {
    return sqrt(add(variance, this.options.epsilon ?? 1e-3));
  }

  /** Returns γ or β reshaped so that it broadcasts to x. */
  protected broadcastable(x: Tensor, parameter: Parameter): Tensor {
    const axes = this.axes(x.shape);
    return reshape(
      parameter,
      x.shape.map((extent, d) => (axes.includes(d) ? extent : 1)),
    );
  }

  override streaming([isStreamed]: readonly boolean[]): boolean[] {
    const { axis = -1 } = this.options as { axis?: number | readonly number[] };
    const axes = [axis].flat();
    if (isStreamed && (axes.includes(1) || axes.includes(1 - this.#rank)))
      throw this.nonCausal('normalises over the time axis');
    return [isStreamed];
  }
}

export class LayerNormalization extends Normalization<LayerNormalizationOptions> {
  static override readonly className = 'LayerNormalization';

  call([x]: readonly MaskedSequence[]): MaskedSequence[] {
    const { value, mask } = x;
    const axes = this.axes(value.shape);
    if (axes.length === 1 && axes[0] === value.rank - 1 && canFuse('layerNorm')) {
      const { gamma, beta } = this;
      return [{ value: layerNorm(value, { gamma, beta, epsilon: this.options.epsilon ?? 1e-3 }), mask }];
    }
    const centred = sub(value, meanOf(value, axes, true));
    const standardised = div(centred, this.deviation(meanOf(square(centred), axes, true)));
    const scaled = this.gamma ? mul(standardised, this.broadcastable(value, this.gamma)) : standardised;
    return [{ value: this.beta ? add(scaled, this.broadcastable(value, this.beta)) : scaled, mask }];
  }
}

export class BatchNormalization extends Normalization<BatchNormalizationOptions> {
  static override readonly className = 'BatchNormalization';
  #movingMean!: Parameter;
  #movingVariance!: Parameter;

  protected override makeParameters(inputs: readonly Shape[]): void {
    super.makeParameters(inputs);
    const [x] = inputs;
    const shape = this.axes(x).map((axis) => x[axis]);
    const { movingMeanInitializer = 'zeros', movingVarianceInitializer = 'ones' } = this.options;
    this.#movingMean = this.addParameter('moving_mean', shape, movingMeanInitializer, { trainable: false });
    this.#movingVariance = this.addParameter('moving_variance', shape, movingVarianceInitializer, {
      trainable: false,
    });
  }

  call([x]: readonly MaskedSequence[], context: ForwardContext): MaskedSequence[] {
    const { value, mask } = x;
    const axes = this.axes(value.shape);
    if (!context.training || !this.trainable) {
      const shape = value.shape.map((extent, d) => (axes.includes(d) ? extent : 1));
      const [mean, variance] = [reshape(this.#movingMean, shape), reshape(this.#movingVariance, shape)];
      return [{ value: this.#normalise(sub(value, mean), variance), mask }];
    }
    const { mean, variance, centred } = moments(value, mask, axes);
    const batchStatistics = keep([stopGradient(mean), stopGradient(variance)]);
    context.afterStep(() => this.#updateMovingStatistics(batchStatistics));
    return [{ value: this.#normalise(centred, variance), mask }];
  }

  /** Computes γ (x - mean) / √(variance + ε) + β. Combines γ and the deviation first, because both are smaller than x. */
  #normalise(centred: Tensor, variance: Tensor): Tensor {
    const deviation = this.deviation(variance);
    const scale = div(this.gamma ? this.broadcastable(centred, this.gamma) : 1, deviation);
    const scaled = mul(centred, scale);
    return this.beta ? add(scaled, this.broadcastable(centred, this.beta)) : scaled;
  }

  /** Computes moving = momentum · moving + (1 - momentum) · batch. */
  async #updateMovingStatistics(batchStatistics: readonly Tensor[]): Promise<void> {
    const { momentum = 0.99 } = this.options;
    const moving = [this.#movingMean, this.#movingVariance];
    const [mean, variance, ...previous] = await valuesOf([...batchStatistics, ...moving]);
    [mean, variance].forEach((batch, n) => {
      moving[n].assign(previous[n].map((value, i) => momentum * value + (1 - momentum) * batch[i]));
    });
  }
}

/**
 * Computes the mean and the (biased) variance of each feature over the valid steps, and the differences of x from the mean.
 * @param features the feature axes; the other axes of the mean and the variance get size 1
 */
function moments(
  x: Tensor,
  mask: Tensor | null,
  features: readonly number[],
): { mean: Tensor; variance: Tensor; centred: Tensor } {
  const axes = x.shape.map((_, d) => d).filter((d) => !features.includes(d));
  if (mask === null) {
    const mean = meanOf(x, axes, true);
    const centred = sub(x, mean);
    return { mean, variance: meanOf(square(centred), axes, true), centred };
  }
  // Multiplying by the mask would not remove a NaN from a masked step.
  const valid = zeroMaskedSteps(x, mask);
  const counts = reshape(mask, [...mask.shape, ...new Array<number>(x.rank - 2).fill(1)]);
  const total = sum(broadcastTo(counts, x.shape), axes, true);
  const divisor = add(total, 1e-7); // as in Keras; avoids a division by 0 if no step is valid
  const mean = div(sum(valid, axes, true), divisor);
  const variance = div(sum(mul(square(sub(valid, mean)), counts), axes, true), divisor);
  return { mean, variance, centred: sub(x, mean) };
}

const normalizationOptions = (): OptionTypes<NormalizationOptions> => ({
  epsilon: 'number',
  center: 'boolean',
  scale: 'boolean',
  betaInitializer: true,
  gammaInitializer: true,
  betaRegularizer: true,
  gammaRegularizer: true,
  betaConstraint: true,
  gammaConstraint: true,
  ...LAYER,
});

/** Creates a layer that normalises each feature over the batch and all valid steps. Inference uses moving statistics. */
export function batchNormalization(options: BatchNormalizationOptions = {}): BatchNormalization {
  checkOptions('batchNormalization', options, {
    axis: 'integer',
    momentum: 'number',
    movingMeanInitializer: true,
    movingVarianceInitializer: true,
    ...normalizationOptions(),
  });
  return new BatchNormalization(options);
}

/** Creates a layer that normalises each step over its features. */
export function layerNormalization(options: LayerNormalizationOptions = {}): LayerNormalization {
  checkOptions('layerNormalization', options, { axis: true, ...normalizationOptions() });
  return new LayerNormalization(options);
}
