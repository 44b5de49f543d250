/**
 * Cases for the optimizer kernels: one update, with and without each optional state array. In the formulas below, d is the
 * gradient g times `gScale`, and w are the weights, which each update first multiplies by 1 - `decay`.
 */

import type { ContractCase } from './case.js';
import type { Blocks, Trial } from './differential.js';
import { differentialCase, draw, MANY, SIZES } from './differential.js';

/** The state arrays of an optimizer, such as its momentum, with the sign of their values. */
type Slots = Record<string, 'signed' | 'positive'>;

/** Returns a trial with `size` weights. The arrays of large trials share one random sequence, because drawing is slow. */
function trial(name: string, size: number, slots: Slots, call: Trial['call']): Trial {
  const source = (array: string): Float64Array => draw.normal(size, size > 1000 ? 'many' : array);
  const values = Object.entries(slots).map(([slot, sign]) => [
    slot,
    source(slot).map((x) => Math.fround(sign === 'signed' ? x / 10 : x * x + 0.02)),
  ]);
  return {
    name: `${name} with ${size} weights`,
    arrays: { w: source('w'), g: source('g'), ...Object.fromEntries(values) },
    call,
  };
}

/** Returns all trials for small sizes, and the first trial for a large size. */
const forSizes = (trials: (size: number) => Trial[]): Trial[] => [...SIZES.flatMap(trials), trials(MANY)[0]];

/** Returns the arguments that all optimizers have. @param scaled whether to use weight decay and to scale the gradient */
const shared = ({ w, g }: Blocks, scaled: boolean) => ({
  ...{ w, g, decay: scaled ? 0.01 : 0, gScale: scaled ? 0.25 : 1 },
});

/** m = momentum m + dScale d; w -= rateM m + rateG d. If `m` is null: w -= rateG d. */
const sgd = (): Trial[] =>
  forSizes((size) => [
    trial('plain', size, {}, (kernels, blocks) =>
      kernels.sgd({ ...shared(blocks, false), m: null, momentum: 0, dScale: 0, rateM: 0, rateG: 0.1 }),
    ),
    trial('momentum', size, { m: 'signed' }, (kernels, blocks) =>
      kernels.sgd({ ...shared(blocks, true), m: blocks.m, momentum: 0.9, dScale: -0.1, rateM: -1, rateG: 0 }),
    ),
    trial('Nesterov', size, { m: 'signed' }, (kernels, blocks) =>
      kernels.sgd({
        ...shared(blocks, true),
        m: blocks.m,
        momentum: 0.9,
        dScale: 0.3,
        rateM: 0.7,
        rateG: 0.05,
      }),
    ),
  ]);

/**
 * v = rho v + dScale d²; q = d / (√(v + epsilonInside) + epsilonOutside); m = momentum m + rateQ q; w -= rateM m. If `mean` is
 * given: mean = rho mean + dScale d, and q uses v - mean² instead of v. If `m` is null: w -= rateM rateQ q.
 */
function rmsprop(): Trial[] {
  const settings = {
    rho: 0.9,
    dScale: 0.1,
    epsilonInside: 1e-3,
    epsilonOutside: 0,
    momentum: 0,
    rateQ: 0.01,
    rateM: 1,
  };
  const outsideSettings = {
    ...settings,
    epsilonInside: 0,
    epsilonOutside: 1e-2,
    momentum: 0.5,
    rateQ: 0.3,
    rateM: 0.1,
  };
  return forSizes((size) => [
    trial('plain', size, { v: 'positive' }, (kernels, blocks) =>
      kernels.rmsprop({ ...shared(blocks, false), ...settings, v: blocks.v, mean: null, m: null }),
    ),
    trial('momentum', size, { v: 'positive', m: 'signed' }, (kernels, blocks) =>
      kernels.rmsprop({ ...shared(blocks, true), ...outsideSettings, v: blocks.v, mean: null, m: blocks.m }),
    ),
    trial('centred', size, { v: 'positive', mean: 'signed', m: 'signed' }, (kernels, blocks) =>
      kernels.rmsprop({
        ...shared(blocks, true),
        ...settings,
        momentum: 0.9,
        v: blocks.v,
        mean: blocks.mean,
        m: blocks.m,
      }),
    ),
  ]);
}

const MOMENTS = { m: 'signed', v: 'positive' } as const;
const KERAS_DEFAULTS = { beta1: 0.9, beta2: 0.999, epsilon: 1e-7, vScale: 1 };
const OTHER_VALUES = { beta1: 0.5, beta2: 0.99, epsilon: 1e-3, vScale: 3 };

/** m = beta1 m + (1 - beta1) d; v = beta2 v + (1 - beta2) d²; w -= rate m / (vScale √v + epsilon). */
const adam = (): Trial[] =>
  forSizes((size) => [
    trial('Keras defaults', size, MOMENTS, (kernels, blocks) =>
      kernels.adam({ ...shared(blocks, false), ...KERAS_DEFAULTS, m: blocks.m, v: blocks.v, rate: 0.01 }),
    ),
    trial('other values', size, MOMENTS, (kernels, blocks) =>
      kernels.adam({ ...shared(blocks, true), ...OTHER_VALUES, m: blocks.m, v: blocks.v, rate: 0.1 }),
    ),
  ]);

/** m and v as in Adam; w -= (rateM m + rateG d) / (vScale √v + epsilon). */
const nadam = (): Trial[] =>
  forSizes((size) => [
    trial('Keras defaults', size, MOMENTS, (kernels, blocks) =>
      kernels.nadam({
        ...shared(blocks, false),
        ...KERAS_DEFAULTS,
        m: blocks.m,
        v: blocks.v,
        rateM: 0.01,
        rateG: 0.02,
      }),
    ),
    trial('other values', size, MOMENTS, (kernels, blocks) =>
      kernels.nadam({
        ...shared(blocks, true),
        ...OTHER_VALUES,
        m: blocks.m,
        v: blocks.v,
        rateM: 0.1,
        rateG: 0.03,
      }),
    ),
  ]);

const NAME = 'one update';

export const optimizerCases = {
  sgd: [differentialCase('sgd', NAME, sgd)],
  rmsprop: [differentialCase('rmsprop', NAME, rmsprop)],
  adam: [differentialCase('adam', NAME, adam)],
  nadam: [differentialCase('nadam', NAME, nadam)],
} satisfies Record<string, readonly ContractCase[]>;
