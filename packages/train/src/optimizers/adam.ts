/**
 * Adam and its variants: a moving average of the gradients, divided by the root of a moving average of their squares.
 */
import { checkOptions, type OptionTypes } from '@unroll/core/internal';
import type { LearningRate } from '../schedules.js';
import {
  checkNonNegative,
  checkUnitInterval,
  commonOptions,
  makeOptimizer,
  OPTIMIZER_OPTIONS,
  type Optimizer,
  type OptimizerOptions,
  toKernelPrecision,
} from './optimizer.js';

export interface AdamOptions extends OptimizerOptions {
  /** Default 0.001. */
  learningRate?: LearningRate;
  /** Decay of the first moment. Default 0.9. */
  beta1?: number;
  /** Decay of the second moment. Default 0.999. */
  beta2?: number;
  /**
   * Default 1e-7. Added to √v before bias correction, as in Keras (the paper's "epsilon hat"), or after it (PyTorch).
   */
  epsilon?: number;
}

function moments(name: string, options: AdamOptions): { beta1: number; beta2: number; epsilon: number } {
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7 } = options;
  checkUnitInterval(name, { beta1, beta2 });
  checkNonNegative(name, { epsilon });
  return { beta1, beta2, epsilon };
}

const ADAM: OptionTypes<AdamOptions> = { beta1: true, beta2: true, epsilon: true, ...OPTIMIZER_OPTIONS };

function adamNamed(name: string, options: AdamOptions, weightDecay: number): Optimizer {
  checkOptions(name, options, ADAM);
  const common = commonOptions({ ...options, weightDecay: options.weightDecay ?? weightDecay }, 0.001);
  const own = moments(name, options);
  return makeOptimizer(
    name,
    common,
    own,
    ['m', 'v'],
    ({ kernels, w, g, slots, step, rate, gScale }, decay) => {
      const [m, v] = slots;
      const beta1 = toKernelPrecision(own.beta1);
      const beta2 = toKernelPrecision(own.beta2);
      const root = Math.sqrt(1 - beta2 ** step);
      const keras = common.convention === 'keras';
      kernels.adam({
        w,
        g,
        m,
        v,
        beta1,
        beta2,
        decay,
        gScale,
        epsilon: own.epsilon,
        rate: (rate * (keras ? root : 1)) / (1 - beta1 ** step),
        vScale: keras ? 1 : 1 / root,
      });
    },
  );
}

/**
 * Adam (Kingma & Ba 2015): m = β₁ m + (1 - β₁) g, v = β₂ v + (1 - β₂) g²,
 * w -= learningRate √(1 - β₂ᵗ) / (1 - β₁ᵗ) · m / (√v + epsilon).
 * PyTorch's: w -= learningRate / (1 - β₁ᵗ) · m / (√(v / (1 - β₂ᵗ)) + epsilon).
 */
export function adam(options: AdamOptions = {}): Optimizer {
  return adamNamed('adam', options, 0);
}

/**
 * AdamW (Loshchilov & Hutter 2019): Adam with decoupled weight decay, by default 0.004 times the learning rate.
 */
export function adamw(options: AdamOptions = {}): Optimizer {
  return adamNamed('adamw', options, 0.004);
}

export interface NadamOptions extends AdamOptions {
  /** How fast the momentum rises to beta1: PyTorch's default is 0.004. Default 1, as in Keras. */
  momentumDecay?: number;
}

/**
 * Nadam (Dozat 2016): Adam with Nesterov momentum. With uₜ = β₁ (1 - 0.96^(t momentumDecay) / 2) and P
 * the product of u₁ to uₜ: w -= learningRate (uₜ₊₁ m / (1 - P uₜ₊₁) + (1 - uₜ) g / (1 - P)) / (√(v / (1 -
 * β₂ᵗ)) + epsilon).
 */
export function nadam(options: NadamOptions = {}): Optimizer {
  const name = 'nadam';
  checkOptions(name, options, { momentumDecay: true, ...ADAM });
  const common = commonOptions(options, 0.001);
  const { momentumDecay = 1 } = options;
  const own = { ...moments(name, options), momentumDecay };
  checkNonNegative(name, { momentumDecay });
  const momentum = (t: number): number => own.beta1 * (1 - 0.5 * 0.96 ** (t * momentumDecay));
  const product = runningProduct(momentum);
  return makeOptimizer(
    name,
    common,
    own,
    ['m', 'v'],
    ({ kernels, w, g, slots, step, rate, gScale }, decay) => {
      const [m, v] = slots;
      const beta2 = toKernelPrecision(own.beta2);
      const next = momentum(step + 1);
      const P = product(step);
      kernels.nadam({
        ...{ w, g, m, v, beta1: toKernelPrecision(own.beta1), beta2, decay, gScale },
        epsilon: own.epsilon,
        rateM: (rate * next) / (1 - P * next),
        rateG: (rate * (1 - momentum(step))) / (1 - P),
        vScale: 1 / Math.sqrt(1 - beta2 ** step),
      });
    },
  );
}

/**
 * The product of factor(1) to factor(t). The last one is cached: for consecutive t, each costs one multiplication.
 */
function runningProduct(factor: (t: number) => number): (t: number) => number {
  let at = 0;
  let product = 1;
  return (t) => {
    if (t < at) [at, product] = [0, 1];
    while (at < t) product *= factor(++at);
    return product;
  };
}
