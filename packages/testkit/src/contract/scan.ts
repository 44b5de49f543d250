/** Cases for the kernels of the linear scan: every combination of optional arguments, and sizes split among threads. */
import type { KernelName } from '@unroll/core/internal';
import { gradientTolerance, outputTolerance } from '../compare.js';
import type { ContractCase } from './case.js';
import { type Arrays, differentialCase, draw, type Trial } from './differential.js';

interface Settings {
  B: number;
  T: number;
  H: number;
  masked: boolean;
  hasInitialState: boolean;
  reverse: boolean;
}

const SIZES = [[1, 1, 1], [2, 3, 16], [3, 5, 33], [1, 4, 100]] as const; // biome-ignore format: a list
const FLAGS = [false, true];

const SETTINGS: readonly Settings[] = [
  ...SIZES.flatMap(([B, T, H]) =>
    FLAGS.flatMap((masked) =>
      FLAGS.flatMap((hasInitialState) =>
        FLAGS.map((reverse) => ({ B, T, H, masked, hasInitialState, reverse })),
      ),
    ),
  ),
  // Large enough for threads, which split the sequences or, in the last case, the columns of the only sequence.
  { B: 6, T: 300, H: 450, masked: true, hasInitialState: true, reverse: false },
  { B: 1, T: 1500, H: 530, masked: false, hasInitialState: true, reverse: true },
];

const nameOf = ({ B, T, H, masked, hasInitialState, reverse }: Settings): string =>
  [`[${B}, ${T}, ${H}]`, masked && 'masked', hasInitialState && 'initial state', reverse && 'reverse']
    .filter(Boolean)
    .join(', ');

/** Returns the inputs that both kernels have: a, h0 and mask. At each step, h = a * (previous h) + b; at masked steps, a is NaN. */
function inputs({ B, T, H, masked, hasInitialState }: Settings): Arrays {
  const mask = Float64Array.from({ length: B * T }, (_, i) => (i % 3 === 1 ? 0 : 1));
  const isMasked = (i: number): boolean => masked && mask[Math.floor(i / H)] === 0;
  const a = draw
    .normal(B * T * H, 'factor')
    .map((x, i) => (isMasked(i) ? Number.NaN : Math.fround(1 / (1 + Math.exp(-x)))));
  return {
    a,
    ...(hasInitialState && { h0: draw.normal(B * H, 'initial') }),
    ...(masked && { mask }),
  };
}

function forwardTrial(settings: Settings): Trial {
  const { B, T, H, reverse } = settings;
  const given = inputs(settings);
  const b = draw.normal(B * T * H, 'term').map((x, i) => (Number.isNaN(given.a[i]) ? Number.NaN : x));
  return {
    name: nameOf(settings),
    arrays: { ...given, b, h: draw.nan(B * T * H) },
    call: (kernels, { a, b, h, h0 = null, mask = null }) =>
      kernels.linearScan({ B, T, H, reverse, a, b, h, h0, mask }),
  };
}

function inPlaceTrial(): Trial {
  const [B, T, H] = [2, 3, 19];
  const given = inputs({ B, T, H, masked: false, hasInitialState: true, reverse: false });
  return {
    name: 'h in the memory of b',
    arrays: { ...given, b: draw.normal(B * T * H, 'term') },
    call: (kernels, { a, b, h0 }) =>
      kernels.linearScan({ B, T, H, reverse: false, a, b, h: b, h0, mask: null }),
  };
}

function backwardTrial(settings: Settings, hasDy: boolean): Trial {
  const { B, T, H, reverse } = settings;
  const size = B * T * H;
  return {
    name: `${nameOf(settings)}${hasDy ? '' : ', gradient of the final state only'}`,
    arrays: {
      ...inputs(settings),
      h: draw.normal(size, 'state'),
      ...(hasDy && { dy: draw.normal(size, 'gradient') }),
      dh: draw.normal(B * H, 'final'),
      da: draw.nan(size),
      db: draw.nan(size),
    },
    call: (kernels, { a, h, dh, da, db, dy = null, h0 = null, mask = null }) =>
      kernels.linearScanBackward({ B, T, H, reverse, a, h, dh, da, db, dy, h0, mask }),
  };
}

export const scanCases = {
  linearScan: [
    differentialCase(
      'linearScan',
      'sizes and options',
      () => [...SETTINGS.map(forwardTrial), inPlaceTrial()],
      outputTolerance,
    ),
  ],
  linearScanBackward: [
    differentialCase(
      'linearScanBackward',
      'sizes and options',
      () => SETTINGS.flatMap((settings) => [true, false].map((hasDy) => backwardTrial(settings, hasDy))),
      gradientTolerance,
    ),
  ],
} satisfies Partial<Record<KernelName, readonly ContractCase[]>>;
