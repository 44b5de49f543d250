/**
 * Reduces the learning rate when a metric stops improving. The rule and its defaults are those of Keras's
 * ReduceLROnPlateau. The class computes with plain numbers only. The callback `reduceOnPlateau` calls `observe` once per epoch
 * and uses the learning rate that `observe` returns.
 */
import { valueError } from '@unroll/core';
import { checkOptions, formatValue, type OptionTypes } from '@unroll/core/internal';
import { withDefaults } from './with-defaults.js';

export interface PlateauOptions {
  /** Factor by which the learning rate is multiplied. Default 0.1. */
  factor?: number;
  /** Epochs without improvement before the rate is reduced. Default 10. */
  patience?: number;
  /** An improvement must exceed this difference. Default 0.0001. */
  minDelta?: number;
  /** Epochs without improvement are not counted before the `cooldown`-th epoch after a reduction, as in Keras. Default 0. */
  cooldown?: number;
  /** Lower bound of the learning rate. Default 0. */
  minLearningRate?: number;
  /** Whether a lower or a higher value is better. Default `lower`. */
  better?: 'lower' | 'higher';
}

/** Types of the options except `better`, for checks. */
export const PLATEAU_OPTIONS: OptionTypes<Omit<PlateauOptions, 'better'>> = {
  factor: true,
  patience: true,
  minDelta: true,
  cooldown: true,
  minLearningRate: true,
};

export interface PlateauState {
  /** The best value so far; null before the first one. */
  best: number | null;
  /** Epochs without improvement since the best value or the last reduction, excluding cooldowns. */
  wait: number;
  /** Remaining epochs of the cooldown. */
  cooldownLeft: number;
}

export class Plateau {
  readonly options: Readonly<Required<PlateauOptions>>;
  state: PlateauState = { best: null, wait: 0, cooldownLeft: 0 };

  constructor(options: PlateauOptions = {}) {
    checkOptions('plateau', options, { ...PLATEAU_OPTIONS, better: ['lower', 'higher'] });
    const defaults = { factor: 0.1, patience: 10, minDelta: 1e-4, cooldown: 0, minLearningRate: 0 };
    this.options = withDefaults({ ...defaults, better: 'lower' as const }, options);
    const { factor, patience, minDelta, cooldown, minLearningRate } = this.options;
    if (!(typeof factor === 'number' && factor > 0 && factor < 1)) {
      throw valueError(`plateau: factor must be above 0 and below 1, got ${formatValue(factor)}.`, {
        factor,
      });
    }
    for (const [name, value] of Object.entries({ patience, minDelta, cooldown, minLearningRate })) {
      if (!(typeof value === 'number' && value >= 0))
        throw valueError(`plateau: ${name} must be a number >= 0, got ${formatValue(value)}.`, {
          [name]: value,
        });
    }
  }

  /**
   * Observes the monitored value of one epoch; NaN counts as no improvement.
   * @returns the learning rate to continue with: `rate`, or a smaller one
   */
  observe(value: number, rate: number): number {
    const { factor, patience, minLearningRate, cooldown } = this.options;
    let { best, wait, cooldownLeft } = this.state;
    if (cooldownLeft > 0) {
      cooldownLeft--;
      wait = 0;
    }
    let nextRate = rate;
    if (this.#improves(value, best)) {
      best = value;
      wait = 0;
    } else if (cooldownLeft === 0) {
      wait++;
      if (wait >= patience && rate > minLearningRate) {
        nextRate = Math.max(rate * factor, minLearningRate);
        cooldownLeft = cooldown;
        wait = 0;
      }
    }
    this.state = { best, wait, cooldownLeft };
    return nextRate;
  }

  #improves(value: number, best: number | null): boolean {
    const { better, minDelta } = this.options;
    if (Number.isNaN(value)) return false;
    if (best === null) return true;
    return better === 'lower' ? value < best - minDelta : value > best + minDelta;
  }
}
