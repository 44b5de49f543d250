/**
 * Adam and its variants. An update is a moving average of the gradients (the first moment m), divided by the square root of a
 * moving average of their squares (the second moment v).
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
  /** Learning rate. Default 0.001. */
  learningRate?: LearningRate;
  /** Decay rate of the first moment. Default 0.9. */
  beta1?: number;
  /** Decay rate of the second moment. Default 0.999. */
  beta2?: number;
  /**
   * Added to √v: before bias correction with `convention: 'keras'` (the paper's "epsilon hat"), after bias correction with
   * `convention: 'pytorch'` and in Nadam. Default 1e-7.
   */
  epsilon?: number;
}

/** Checks the options of the moments and returns them with their defaults. */
function momentOptions(
  name: string,
  options: AdamOptions,
): { beta1: number; beta2: number; epsilon: number } {
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7 } = options;
  checkUnitInterval(name, { beta1, beta2 });
  checkNonNegative(name, { epsilon });
  return { beta1, beta2, epsilon };
}

/** Types of the options, for checks. */
const ADAM_OPTIONS: OptionTypes<AdamOptions> = {
  beta1: true,
  beta2: true,
  epsilon: true,
  ...OPTIMIZER_OPTIONS,
};

/** Creates Adam or AdamW. @param defaultWeightDecay used if the options do not set it */
function createAdam(name: string, options: AdamOptions, defaultWeightDecay: number): Optimizer {
  checkOptions(name, options, ADAM_OPTIONS);
  const common = commonOptions({ ...options, weightDecay: options.weightDecay ?? defaultWeightDecay }, 0.001);
  const adamOptions = momentOptions(name, options);
  return makeOptimizer(
    name,
    common,
    adamOptions,
    ['m', 'v'],
    ({ kernels, w, g, slots, step, rate, gScale }, decay) => {
      const [m, v] = slots;
      const beta1 = toKernelPrecision(adamOptions.beta1);
      const beta2 = toKernelPrecision(adamOptions.beta2);
      const root = Math.sqrt(1 - beta2 ** step);
      const keras = common.convention === 'keras';
      // For the formula that uses these arguments, see AdamCall in @unroll/core (backend.ts).
      kernels.adam({
        w,
        g,
        m,
        v,
        beta1,
        beta2,
        decay,
        gScale,
        epsilon: adamOptions.epsilon,
        rate: (rate * (keras ? root : 1)) / (1 - beta1 ** step),
        vScale: keras ? 1 : 1 / root,
      });
    },
  );
}

/**
 * Adam (Kingma & Ba 2015). For the gradient g and update number t: m = β₁ m + (1 - β₁) g, v = β₂ v + (1 - β₂) g², and
 * w -= learningRate √(1 - β₂ᵗ) / (1 - β₁ᵗ) · m / (√v + epsilon) with `convention: 'keras'`, or
 * w -= learningRate / (1 - β₁ᵗ) · m / (√(v / (1 - β₂ᵗ)) + epsilon) with `convention: 'pytorch'`.
 */
export function adam(options: AdamOptions = {}): Optimizer {
  return createAdam('adam', options, 0);
}

/** AdamW (Loshchilov & Hutter 2019): Adam with decoupled weight decay. The default of `weightDecay` is 0.004. */
export function adamw(options: AdamOptions = {}): Optimizer {
  return createAdam('adamw', options, 0.004);
}

export interface NadamOptions extends AdamOptions {
  /** How fast the momentum uₜ rises from beta1 / 2 to beta1. Default 1, as in Keras; PyTorch's default is 0.004. */
  momentumDecay?: number;
}

/**
 * Nadam (Dozat 2016): Adam with Nesterov momentum. With uₜ = β₁ (1 - 0.96^(t momentumDecay) / 2) and P = u₁ · … · uₜ:
 * w -= learningRate (uₜ₊₁ m / (1 - P uₜ₊₁) + (1 - uₜ) g / (1 - P)) / (√(v / (1 - β₂ᵗ)) + epsilon).
 */
export function nadam(options: NadamOptions = {}): Optimizer {
  const name = 'nadam';
  checkOptions(name, options, { momentumDecay: true, ...ADAM_OPTIONS });
  const common = commonOptions(options, 0.001);
  const { momentumDecay = 1 } = options;
  const nadamOptions = { ...momentOptions(name, options), momentumDecay };
  checkNonNegative(name, { momentumDecay });
  const momentum = (t: number): number => nadamOptions.beta1 * (1 - 0.5 * 0.96 ** (t * momentumDecay));
  const product = runningProduct(momentum);
  return makeOptimizer(
    name,
    common,
    nadamOptions,
    ['m', 'v'],
    ({ kernels, w, g, slots, step, rate, gScale }, decay) => {
      const [m, v] = slots;
      const beta2 = toKernelPrecision(nadamOptions.beta2);
      const next = momentum(step + 1);
      const P = product(step);
      // For the formula that uses these arguments, see NadamCall in @unroll/core (backend.ts).
      kernels.nadam({
        ...{ w, g, m, v, beta1: toKernelPrecision(nadamOptions.beta1), beta2, decay, gScale },
        epsilon: nadamOptions.epsilon,
        rateM: (rate * next) / (1 - P * next),
        rateG: (rate * (1 - momentum(step))) / (1 - P),
        vScale: 1 / Math.sqrt(1 - beta2 ** step),
      });
    },
  );
}

/**
 * Returns a function of t for the product factor(1) · … · factor(t). It caches the last product, so that the next t needs
 * one multiplication.
 */
function runningProduct(factor: (t: number) => number): (t: number) => number {
  let cachedT = 0;
  let product = 1;
  return (t) => {
    if (t < cachedT) [cachedT, product] = [0, 1];
    while (cachedT < t) product *= factor(++cachedT);
    return product;
  };
}
