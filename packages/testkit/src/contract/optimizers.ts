/** Cases for the optimizer kernels: one update, with and without each optional slot. */

import type { ContractCase } from './case.js';
import type { Blocks, Trial } from './differential.js';
import { differentialCase, draw, MANY, SIZES } from './differential.js';

type Slots = Record<string, 'signed' | 'positive'>;

/** A trial with `size` weights and the given slots. Large trials share one sequence, because drawing it is slow. */
function trial(name: string, size: number, slots: Slots, call: Trial['call']): Trial {
  const source = (own: string): Float64Array => draw.normal(size, size > 1000 ? 'many' : own);
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

const sizes = (make: (size: number) => Trial[]): Trial[] => [...SIZES.flatMap(make), make(MANY)[0]];
const shared = ({ w, g }: Blocks, other: boolean) => ({
  ...{ w: w, g: g, decay: other ? 0.01 : 0, gScale: other ? 0.25 : 1 },
});

const sgd = (): Trial[] =>
  sizes((size) => [
    trial('plain', size, {}, (kernels, at) =>
      kernels.sgd({ ...shared(at, false), m: null, keep: 0, fresh: 0, rateM: 0, rateG: 0.1 }),
    ),
    trial('momentum', size, { m: 'signed' }, (kernels, at) =>
      kernels.sgd({ ...shared(at, true), m: at.m, keep: 0.9, fresh: -0.1, rateM: -1, rateG: 0 }),
    ),
    trial('Nesterov', size, { m: 'signed' }, (kernels, at) =>
      kernels.sgd({ ...shared(at, true), m: at.m, keep: 0.9, fresh: 0.3, rateM: 0.7, rateG: 0.05 }),
    ),
  ]);

function rmsprop(): Trial[] {
  const settings = { keep: 0.9, fresh: 0.1, inside: 1e-3, outside: 0, momentum: 0, rateQ: 0.01, rateM: 1 };
  const outside = { ...settings, inside: 0, outside: 1e-2, momentum: 0.5, rateQ: 0.3, rateM: 0.1 };
  return sizes((size) => [
    trial('plain', size, { v: 'positive' }, (kernels, at) =>
      kernels.rmsprop({ ...shared(at, false), ...settings, v: at.v, mean: null, m: null }),
    ),
    trial('momentum', size, { v: 'positive', m: 'signed' }, (kernels, at) =>
      kernels.rmsprop({ ...shared(at, true), ...outside, v: at.v, mean: null, m: at.m }),
    ),
    trial('centred', size, { v: 'positive', mean: 'signed', m: 'signed' }, (kernels, at) =>
      kernels.rmsprop({
        ...shared(at, true),
        ...settings,
        momentum: 0.9,
        v: at.v,
        mean: at.mean,
        m: at.m,
      }),
    ),
  ]);
}

const MOMENTS = { m: 'signed', v: 'positive' } as const;
const PLAIN = { beta1: 0.9, beta2: 0.999, epsilon: 1e-7, vScale: 1 };
const OTHER = { beta1: 0.5, beta2: 0.99, epsilon: 1e-3, vScale: 3 };

const adam = (): Trial[] =>
  sizes((size) => [
    trial('plain', size, MOMENTS, (kernels, at) =>
      kernels.adam({ ...shared(at, false), ...PLAIN, m: at.m, v: at.v, rate: 0.01 }),
    ),
    trial('other', size, MOMENTS, (kernels, at) =>
      kernels.adam({ ...shared(at, true), ...OTHER, m: at.m, v: at.v, rate: 0.1 }),
    ),
  ]);

const nadam = (): Trial[] =>
  sizes((size) => [
    trial('plain', size, MOMENTS, (kernels, at) =>
      kernels.nadam({ ...shared(at, false), ...PLAIN, m: at.m, v: at.v, rateM: 0.01, rateG: 0.02 }),
    ),
    trial('other', size, MOMENTS, (kernels, at) =>
      kernels.nadam({ ...shared(at, true), ...OTHER, m: at.m, v: at.v, rateM: 0.1, rateG: 0.03 }),
    ),
  ]);

const NAME = 'one update';

export const optimizerCases = {
  sgd: [differentialCase('sgd', NAME, sgd)],
  rmsprop: [differentialCase('rmsprop', NAME, rmsprop)],
  adam: [differentialCase('adam', NAME, adam)],
  nadam: [differentialCase('nadam', NAME, nadam)],
} satisfies Record<string, readonly ContractCase[]>;
