/**
 * The rule of reducing the learning rate when a figure stops improving, as a state machine of plain numbers:
 * one `observe` an epoch. It knows no model and no loop; the callback of that name applies what it says. Rule
 * and defaults are those of Keras's ReduceLROnPlateau.
 */
import { valueError } from '@unroll/core';
import { checkOptions, type Known, shown } from '@unroll/core/internal';

export interface PlateauOptions {
  /** What the learning rate is multiplied by. Default 0.1. */
  factor?: number;
  /** Epochs without improvement before it is. Default 10. */
  patience?: number;
  /** What counts as an improvement: by more than this. Default 0.0001. */
  minDelta?: number;
  /** Epochs after a reduction in which nothing is counted. Default 0. */
  cooldown?: number;
  /** The learning rate does not go below it. Default 0. */
  minLearningRate?: number;
  /** Whether a smaller figure is better, or a larger one. Default `lower`. */
  better?: 'lower' | 'higher';
}

/** What the rule takes, but for `better`. */
export const PLATEAU: Known<Omit<PlateauOptions, 'better'>> = {
  factor: true,
  patience: true,
  minDelta: true,
  cooldown: true,
  minLearningRate: true,
};

export interface PlateauState {
  /** The best figure so far; null before the first. */
  best: number | null;
  /** Epochs since it, outside of cooldowns. */
  wait: number;
  /** Epochs that are left of the cooldown. */
  cooldownLeft: number;
}

export class Plateau {
  readonly options: Readonly<Required<PlateauOptions>>;
  state: PlateauState = { best: null, wait: 0, cooldownLeft: 0 };

  constructor(options: PlateauOptions = {}) {
    checkOptions('plateau', options, { ...PLATEAU, better: ['lower', 'higher'] });
    const defaults = { factor: 0.1, patience: 10, minDelta: 1e-4, cooldown: 0, minLearningRate: 0 };
    this.options = { ...defaults, better: 'lower', ...options };
    const { factor, patience, minDelta, cooldown, minLearningRate } = this.options;
    if (!(typeof factor === 'number' && factor > 0 && factor < 1)) {
      throw valueError(`plateau: factor lies between 0 and 1, got ${shown(factor)}: the rate is to fall.`, {
        factor,
      });
    }
    for (const [name, value] of Object.entries({ patience, minDelta, cooldown, minLearningRate })) {
      if (!(typeof value === 'number' && value >= 0))
        throw valueError(`plateau: ${name} is a number >= 0, got ${shown(value)}.`, { [name]: value });
    }
  }

  /**
   * Takes the figure of one epoch; a NaN counts as no improvement.
   * @returns the learning rate to go on with: `rate`, or a smaller one
   */
  observe(figure: number, rate: number): number {
    const { factor, patience, minLearningRate, cooldown } = this.options;
    let { best, wait, cooldownLeft } = this.state;
    if (cooldownLeft > 0) {
      cooldownLeft--;
      wait = 0;
    }
    let next = rate;
    if (this.#improves(figure, best)) {
      best = figure;
      wait = 0;
    } else if (cooldownLeft === 0) {
      wait++;
      if (wait >= patience && rate > minLearningRate) {
        next = Math.max(rate * factor, minLearningRate);
        cooldownLeft = cooldown;
        wait = 0;
      }
    }
    this.state = { best, wait, cooldownLeft };
    return next;
  }

  #improves(figure: number, best: number | null): boolean {
    const { better, minDelta } = this.options;
    if (Number.isNaN(figure)) return false;
    if (best === null) return true;
    return better === 'lower' ? figure < best - minDelta : figure > best + minDelta;
  }
}
