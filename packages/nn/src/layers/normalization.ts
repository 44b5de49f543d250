/**
 * Normalisation: `batchNormalization` (Ioffe & Szegedy 2015), over the batch and, for sequences, over all valid
 * steps; `layerNormalization` (Ba, Kiros & Hinton 2016), over the features of each step separately.
 */
import {
  add,
  broadcastTo,
  div,
  type ForwardContext,
  keep,
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
import { checkOptions, type Known, shown, valuesOf } from '@unroll/core/internal';
import type { Constraint } from '../constraints.js';
import type { Initializer } from '../initializers.js';
import { Layer, type LayerOptions } from '../layer.js';
import { validSteps } from '../masks.js';
import { LAYER } from '../option-names.js';
import type { Regularizer } from '../regularizers.js';

interface NormalizationOptions extends LayerOptions {
  /** Added to the variance. Default 0.001. */
  epsilon?: number;
  /** Learn an offset β. Default true. */
  center?: boolean;
  /** Learn a factor γ. Default true. */
  scale?: boolean;
  /** Default `zeros`. */
  betaInitializer?: Initializer;
  /** Default `ones`. */
  gammaInitializer?: Initializer;
  /** Regularisers of β and γ. Default: none. */
  betaRegularizer?: Regularizer | null;
  gammaRegularizer?: Regularizer | null;
  /** Constraints on β and γ after each update. Default: none. */
  betaConstraint?: Constraint | null;
  gammaConstraint?: Constraint | null;
}

export interface BatchNormalizationOptions extends NormalizationOptions {
  /** The feature axis; each feature has its own statistics. Default -1. */
  axis?: number;
  /** Weight of the old moving statistics in each update. Default 0.99. */
  momentum?: number;
  /** Default `zeros`. */
  movingMeanInitializer?: Initializer;
  /** Default `ones`. */
  movingVarianceInitializer?: Initializer;
}

export interface LayerNormalizationOptions extends NormalizationOptions {
  /** The axis or axes to normalise over. Default -1. */
  axis?: number | readonly number[];
}

abstract class Normalization<O extends NormalizationOptions> extends Layer<O> {
  protected gamma: Parameter | null = null;
  protected beta: Parameter | null = null;

  outputShapes([x]: readonly Shape[]): Shape[] {
    const axes = this.axes(x);
    const known = this.gamma ?? this.beta;
    const shape = axes.map((axis) => x[axis]);
    if (shape.includes(-1)) throw this.shapeError(x, `known sizes along axis ${axes.join(', ')}`);
    if (known?.shape.some((extent, i) => extent !== shape[i])) {
      throw this.shapeError(x, `size ${known.shape.join(', ')} along axis ${axes.join(', ')}`);
    }
    return [x];
  }

  /** The axes along which γ and β vary, ascending. */
  protected axes(x: Shape): number[] {
    const { axis = -1 } = this.options as { axis?: number | readonly number[] };
    const list = [axis].flat().map((one) => (one < 0 ? one + x.length : one));
    const wrong = list.some((one) => !Number.isInteger(one) || one < 1 || one >= x.length);
    if (wrong || list.length === 0 || new Set(list).size < list.length)
      throw this.shapeError(x, `an input with the axis ${shown(axis)} (distinct, and not the batch)`);
    return list.sort((a, b) => a - b);
  }

  protected override makeParameters([x]: readonly Shape[]): void {
    const shape = this.axes(x).map((axis) => x[axis]);
    const o = this.options;
    if (o.scale !== false) {
      const hooks = { regularizer: o.gammaRegularizer, constraint: o.gammaConstraint };
      this.gamma = this.addParameter('gamma', shape, o.gammaInitializer ?? 'ones', hooks);
    }
    if (o.center !== false) {
      const hooks = { regularizer: o.betaRegularizer, constraint: o.betaConstraint };
      this.beta = this.addParameter('beta', shape, o.betaInitializer ?? 'zeros', hooks);
    }
  }

  /** γ (x - mean) / √(variance + ε) + β */
  protected normalised(x: Tensor, mean: Tensor, variance: Tensor): Tensor {
    const axes = this.axes(x.shape);
    const spread = x.shape.map((extent, d) => (axes.includes(d) ? extent : 1));
    const deviation = sqrt(add(variance, this.options.epsilon ?? 1e-3));
    const unit = div(sub(x, mean), deviation);
    const scaled = this.gamma ? mul(unit, reshape(this.gamma, spread)) : unit;
    return this.beta ? add(scaled, reshape(this.beta, spread)) : scaled;
  }

  override streaming([along]: readonly boolean[]): boolean[] {
    const { axis = -1 } = this.options as { axis?: number | readonly number[] };
    if (along && [axis].flat().includes(1)) throw this.nonCausal('normalises over the time axis');
    return [along];
  }
}

export class LayerNormalization extends Normalization<LayerNormalizationOptions> {
  static override readonly className = 'LayerNormalization';

  call([x]: readonly MaskedSequence[]): MaskedSequence[] {
    const { value, mask } = x;
    const axes = this.axes(value.shape);
    const mean = meanOf(value, axes, true);
    const variance = meanOf(square(sub(value, mean)), axes, true);
    return [{ value: this.normalised(value, mean, variance), mask }];
  }
}

export class BatchNormalization extends Normalization<BatchNormalizationOptions> {
  static override readonly className = 'BatchNormalization';
  #mean!: Parameter;
  #variance!: Parameter;

  protected override makeParameters(inputs: readonly Shape[]): void {
    super.makeParameters(inputs);
    const [x] = inputs;
    const shape = this.axes(x).map((axis) => x[axis]);
    const { movingMeanInitializer = 'zeros', movingVarianceInitializer = 'ones' } = this.options;
    this.#mean = this.addParameter('moving_mean', shape, movingMeanInitializer, { trainable: false });
    this.#variance = this.addParameter('moving_variance', shape, movingVarianceInitializer, {
      trainable: false,
    });
  }

  call([x]: readonly MaskedSequence[], context: ForwardContext): MaskedSequence[] {
    const { value, mask } = x;
    const axes = this.axes(value.shape);
    if (!context.training || !this.trainable) {
      const spread = value.shape.map((extent, d) => (axes.includes(d) ? extent : 1));
      const [mean, variance] = [reshape(this.#mean, spread), reshape(this.#variance, spread)];
      return [{ value: this.normalised(value, mean, variance), mask }];
    }
    // Masked steps are 0 already. Multiplying by the mask would not remove a NaN.
    const { mean, variance } = moments(mask ? validSteps(value, mask) : value, mask, axes);
    const seen = keep([stopGradient(mean), stopGradient(variance)]);
    context.afterStep(() => this.#follow(seen));
    return [{ value: this.normalised(value, mean, variance), mask }];
  }

  /** moving = momentum · moving + (1 - momentum) · batch */
  async #follow(seen: readonly Tensor[]): Promise<void> {
    const { momentum = 0.99 } = this.options;
    const moving = [this.#mean, this.#variance];
    const [mean, variance, ...olds] = await valuesOf([...seen, ...moving]);
    [mean, variance].forEach((batch, n) => {
      moving[n].assign(olds[n].map((old, i) => momentum * old + (1 - momentum) * batch[i]));
    });
  }
}

/** Mean and (biased) variance of each feature over the valid steps; x is 0 at the others. Axes are kept with size 1. */
function moments(
  x: Tensor,
  mask: Tensor | null,
  features: readonly number[],
): { mean: Tensor; variance: Tensor } {
  const axes = x.shape.map((_, d) => d).filter((d) => !features.includes(d));
  if (mask === null) {
    const mean = meanOf(x, axes, true);
    return { mean, variance: meanOf(square(sub(x, mean)), axes, true) };
  }
  const counts = reshape(mask, [...mask.shape, ...new Array<number>(x.rank - 2).fill(1)]);
  const total = sum(broadcastTo(counts, x.shape), axes, true);
  const divisor = add(total, 1e-7); // as in Keras: avoids a division by 0 if no step is valid
  const mean = div(sum(x, axes, true), divisor);
  const variance = div(sum(mul(square(sub(x, mean)), counts), axes, true), divisor);
  return { mean, variance };
}

const normalizationOptions = (): Known<NormalizationOptions> => ({
  epsilon: 'number',
  center: 'flag',
  scale: 'flag',
  betaInitializer: true,
  gammaInitializer: true,
  betaRegularizer: true,
  gammaRegularizer: true,
  betaConstraint: true,
  gammaConstraint: true,
  ...LAYER,
});

/** Normalises each feature over the batch (and its valid steps), and updates moving statistics for inference. */
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

/** Normalises each step over its features. */
export function layerNormalization(options: LayerNormalizationOptions = {}): LayerNormalization {
  checkOptions('layerNormalization', options, { axis: true, ...normalizationOptions() });
  return new LayerNormalization(options);
}
