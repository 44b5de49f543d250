/**
 * Cases for the fused kernels of the simple RNN, LSTM and GRU, with the same settings for all cells. The kernels are called
 * directly, to cover uses that do not occur in ops: gradients of every h_t and c_t, outputs written into a wider block or
 * in reverse time order, calls without outputs or saved gates, large batches and large states. The comments of the calls in
 * packages/core/src/backend.ts define the arrays (xh, hs, rmask, dG, ...).
 */
import type { ActivationName, Block, KernelName, SequenceView } from '@unroll/core/internal';
import { gradientTolerance, outputTolerance } from '../compare.js';
import type { ContractCase } from './case.js';
import { type Arrays, type Blocks, differentialCase, draw, type Trial } from './differential.js';

type RecurrentKernel = Extract<KernelName, `${'rnn' | 'lstm' | 'gru'}${'Forward' | 'Backward'}`>;

/** The sizes and options of a kernel call. */
interface Settings {
  name: string;
  /** Time steps. */
  T: number;
  /** Batch rows. */
  B: number;
  /** Input features. */
  I: number;
  /** Hidden units. */
  H: number;
  masked: boolean;
  /** Whether there is recurrent dropout. */
  recurrentDropout: boolean;
  bias: boolean;
  /** Whether to save the values that backward needs; in backward, whether to return the gradients of every h_t and c_t. */
  saving: boolean;
  /** Whether the kernel copies its inputs from `x` one time step at a time. */
  copiesInputsByStep: boolean;
  /**
   * The row width of the block that contains the outputs, the offset of the outputs in a row, and whether the time steps are
   * in reverse order. Null: no outputs.
   */
  output: { width: number; offset: number; reversed: boolean } | null;
  activation: ActivationName;
  /** Whether the kernel processes the time steps in reverse order. */
  reverse: boolean;
  /** The step t and batch row b whose inputs (in backward, gates) are NaN. */
  nanAt?: readonly [t: number, b: number];
}

/** Returns the default settings with the given changes. */
const withDefaults = (changes: Partial<Settings> & Pick<Settings, 'name'>): Settings => ({
  ...{
    T: 4,
    B: 5,
    I: 3,
    H: 19,
    masked: true,
    recurrentDropout: true,
    bias: true,
    saving: true,
    copiesInputsByStep: false,
    activation: 'tanh',
    reverse: false,
  },
  output: { width: 19, offset: 0, reversed: false },
  ...changes,
});

const SETTINGS: readonly Settings[] = [
  withDefaults({ name: 'mask, dropout, bias, outputs and saved values' }),
  withDefaults({ name: 'no outputs, nothing saved', output: null, saving: false }),
  withDefaults({ name: 'nothing saved', saving: false, masked: false }),
  withDefaults({ name: 'no mask, no dropout, no bias', masked: false, recurrentDropout: false, bias: false }),
  withDefaults({
    name: 'outputs in the second half of a wider block',
    output: { width: 45, offset: 22, reversed: false },
  }),
  withDefaults({ name: 'outputs in reverse time order', output: { width: 19, offset: 0, reversed: true } }),
  withDefaults({ name: 'relu', activation: 'relu', recurrentDropout: false }),
  withDefaults({
    name: 'all sizes are 1',
    T: 1,
    B: 1,
    I: 1,
    H: 1,
    output: { width: 1, offset: 0, reversed: false },
  }),
  withDefaults({
    name: 'many batch rows, in reverse order',
    reverse: true,
    T: 7,
    B: 67,
    H: 64,
    recurrentDropout: false,
    output: { width: 64, offset: 0, reversed: false },
  }),
  withDefaults({
    name: 'a large state',
    T: 2,
    B: 9,
    H: 257,
    I: 5,
    output: { width: 257, offset: 0, reversed: false },
  }),
  withDefaults({ name: 'no batch rows', B: 0 }),
  ...[
    {
      name: 'inputs copied by step, in reverse order',
      reverse: true,
      T: 7,
      B: 67,
      I: 21,
      H: 64,
      output: { width: 64, offset: 0, reversed: false },
    },
    { name: 'inputs copied by step, an even number of steps', B: 13, bias: false },
    { name: 'inputs copied by step, one step', T: 1, B: 9, I: 1, masked: false },
    {
      name: 'inputs copied by step, no dropout, NaN at a masked step',
      B: 9,
      recurrentDropout: false,
      nanAt: [0, 0] as const,
    },
  ].map((changes) => withDefaults({ saving: false, copiesInputsByStep: true, ...changes })),
  // A NaN affects only its own batch row, and nothing if its step is masked.
  withDefaults({ name: 'NaN at a valid step', nanAt: [1, 1] }),
  withDefaults({ name: 'NaN at a masked step', nanAt: [0, 0] }),
];

/**
 * Returns a mask [T, B], and the output mask [T, B], which is 1 from the first valid step of a batch row on: before this step,
 * outputs are 0. The masks of the batch rows differ. If there are several rows, the last one is masked at every step.
 */
function masks(T: number, B: number): Arrays {
  const mask = Float64Array.from({ length: T * B }, (_, i) => {
    const [t, b] = [Math.floor(i / B), i % B];
    return (t + b) % 3 !== 0 && !(b === B - 1 && B > 1) ? 1 : 0;
  });
  const outputMask = mask.slice();
  for (let i = B; i < outputMask.length; i++) outputMask[i] = Math.max(outputMask[i], outputMask[i - B]);
  return { mask, outputMask };
}

/** Returns a dropout mask with the values 0 (about 30 %) and 1.25. */
const dropoutMask = (count: number): Float64Array =>
  draw.normal(count, 'rmask').map((value) => (value < -0.5 ? 0 : 1.25));

/** Returns the row of an array [T * B, ...] for a step and a batch row. */
const rowOf = (B: number, [t, b]: readonly [number, number]): number => t * B + b;

/**
 * Returns the arrays that every forward kernel reads and writes.
 * @param G number of gates
 */
function forwardArrays(settings: Settings, G: number, biasSize: number): Arrays {
  const { T, B, I, H, output } = settings;
  const K = I + H;
  const xh = draw.nan((settings.copiesInputsByStep ? 2 : T + 1) * B * K);
  const x = draw.normal(T * B * I, 'x');
  const nanRow = settings.nanAt && rowOf(B, settings.nanAt);
  if (nanRow !== undefined) x.fill(Number.NaN, nanRow * I, (nanRow + 1) * I);
  const h = draw.normal(B * H, 'h');
  const rmask = dropoutMask(B * H);
  for (let i = 0; i < T * B && !settings.copiesInputsByStep; i++)
    xh.set(x.subarray(i * I, (i + 1) * I), i * K);
  for (let b = 0; b < B; b++) {
    for (let u = 0; u < H; u++)
      xh[b * K + I + u] = Math.fround(h[b * H + u] * (settings.recurrentDropout ? rmask[b * H + u] : 1));
  }
  const hs = draw.nan((T + 1) * B * H);
  hs.set(h);
  return {
    W: draw.normal(I * G * H, 'W').map((value) => Math.fround(value / Math.sqrt(I))),
    U: draw.normal(H * G * H, 'U').map((value) => Math.fround((0.7 * value) / Math.sqrt(H))),
    xh,
    ...(settings.copiesInputsByStep ? { x } : {}),
    ...(settings.bias ? { b: draw.normal(biasSize, 'b') } : {}),
    ...(settings.masked ? masks(T, B) : {}),
    ...(settings.recurrentDropout ? { hs, rmask } : {}),
    ...(output ? { y: draw.nan(B * T * output.width) } : {}),
  };
}

/** Returns the position of the outputs in their block; null if there are none. */
function outputView(settings: Settings, block: Block | undefined): SequenceView | null {
  if (!settings.output || !block) return null;
  const { width, offset, reversed } = settings.output;
  const step = reversed ? -width : width;
  return {
    block,
    offset: offset + (reversed ? (settings.T - 1) * width : 0),
    strideT: step,
    strideB: settings.T * width,
  };
}

/** Returns the arguments that all kernels have. */
const sharedArguments = (settings: Settings, blocks: Blocks) => ({
  ...{ T: settings.T, B: settings.B, H: settings.H, activation: settings.activation },
  ...{
    rmask: blocks.rmask ?? null,
    mask: blocks.mask ?? null,
    outputMask: blocks.outputMask ?? null,
    U: blocks.U,
  },
});
/** Returns the arguments that all forward kernels have. */
const forwardArguments = (settings: Settings, blocks: Blocks) => ({
  ...sharedArguments(settings, blocks),
  ...{
    I: settings.I,
    W: blocks.W,
    b: blocks.b ?? null,
    xh: blocks.xh,
    x: settings.copiesInputsByStep ? blocks.x : null,
    reverse: settings.reverse,
    hs: blocks.hs ?? null,
    y: outputView(settings, blocks.y),
  },
});

/**
 * Returns the arrays of every backward kernel, without the values that forward saves.
 * @param dGWidth row width of the gate gradients
 */
function backwardArrays(settings: Settings, dGWidth: number): Arrays {
  const { T, B, H, output } = settings;
  return {
    U: draw.normal(H * dGWidth, 'U').map((value) => Math.fround((0.7 * value) / Math.sqrt(H))),
    ...(settings.masked ? masks(T, B) : {}),
    ...(settings.recurrentDropout ? { rmask: dropoutMask(B * H) } : {}),
    ...(output ? { dy: draw.normal(B * T * output.width, 'dy') } : {}),
    dh: draw.normal(B * H, 'dh'),
    dG: draw.nan(T * B * dGWidth),
    ...(settings.saving ? { dhAll: draw.nan(T * B * H) } : {}),
  };
}

/** Returns the arguments that all backward kernels have. */
const backwardArguments = (settings: Settings, blocks: Blocks) => ({
  ...sharedArguments(settings, blocks),
  ...{ dy: outputView(settings, blocks.dy), dh: blocks.dh, dhAll: blocks.dhAll ?? null, dG: blocks.dG },
});

/**
 * Returns saved gates [T, B, width] in (0, 1). Backward computes the derivatives of the activations from the saved gates, so
 * any such numbers are valid.
 */
function gateValues(settings: Settings, width: number): Float64Array {
  const gates = draw
    .normal(settings.T * settings.B * width, 'gates')
    .map((x) => Math.fround(1 / (1 + Math.exp(-x))));
  const nanRow = settings.nanAt && rowOf(settings.B, settings.nanAt);
  if (nanRow !== undefined) gates.fill(Number.NaN, nanRow * width, (nanRow + 1) * width);
  return gates;
}

const SIGMOID = { recurrentActivation: 'sigmoid' } as const;

function lstmForwardTrial(settings: Settings): Trial {
  const { T, B, H } = settings;
  const c = draw.nan((settings.saving ? T + 1 : 1) * B * H);
  c.set(draw.normal(B * H, 'c'));
  const saved: Arrays = settings.saving ? { gates: draw.nan(T * B * 4 * H) } : {};
  return {
    name: settings.name,
    arrays: { ...forwardArrays(settings, 4, 4 * H), c, ...saved },
    call: (kernels, blocks) =>
      kernels.lstmForward({
        ...forwardArguments(settings, blocks),
        ...{ ...SIGMOID, c: blocks.c, keepCells: settings.saving, gates: blocks.gates ?? null },
      }),
  };
}

function lstmBackwardTrial(settings: Settings): Trial {
  const { T, B, H } = settings;
  return {
    name: settings.name,
    arrays: {
      ...backwardArrays(settings, 4 * H),
      gates: gateValues(settings, 4 * H),
      c: draw.normal((T + 1) * B * H, 'c'),
      dc: draw.normal(B * H, 'dc'),
      ...(settings.saving ? { dcAll: draw.nan(T * B * H) } : {}),
    },
    call: (kernels, blocks) =>
      kernels.lstmBackward({
        ...backwardArguments(settings, blocks),
        ...{ ...SIGMOID, gates: blocks.gates, c: blocks.c, dc: blocks.dc, dcAll: blocks.dcAll ?? null },
      }),
  };
}

function rnnForwardTrial(settings: Settings): Trial {
  return {
    name: settings.name,
    arrays: forwardArrays(settings, 1, settings.H),
    call: (kernels, blocks) => kernels.rnnForward(forwardArguments(settings, blocks)),
  };
}

/** Returns xh and, with dropout, hs as forward saves them. The state in xh is the state in hs times the dropout mask. */
function savedStates({ T, B, I, H, recurrentDropout }: Settings): Arrays {
  const xh = draw.normal((T + 1) * B * (I + H), 'xh');
  if (!recurrentDropout) return { xh };
  const hs = draw.normal((T + 1) * B * H, 'hs');
  const rmask = dropoutMask(B * H);
  hs.forEach((value, i) => {
    const [row, u] = [Math.floor(i / H), i % H];
    xh[row * (I + H) + I + u] = Math.fround(value * rmask[(row % B) * H + u]);
  });
  return { xh, hs };
}

function rnnBackwardTrial(settings: Settings): Trial {
  return {
    name: settings.name,
    arrays: { ...backwardArrays(settings, settings.H), ...savedStates(settings) },
    call: (kernels, blocks) =>
      kernels.rnnBackward({
        ...backwardArguments(settings, blocks),
        I: settings.I,
        xh: blocks.xh,
        hs: blocks.hs ?? null,
      }),
  };
}

interface GruVariant {
  resetAfter: boolean;
  updateGateOnCandidate: boolean;
}
const GRU_VARIANTS: readonly GruVariant[] = [
  { resetAfter: true, updateGateOnCandidate: false },
  { resetAfter: false, updateGateOnCandidate: false },
  { resetAfter: true, updateGateOnCandidate: true },
  { resetAfter: false, updateGateOnCandidate: true },
];
/** Returns all settings with all variants, except that large sizes skip the variants with `updateGateOnCandidate`. */
const gruSettings = (): [Settings, GruVariant][] =>
  SETTINGS.flatMap((settings) =>
    GRU_VARIANTS.filter((v) => !v.updateGateOnCandidate || settings.B * settings.H < 1000).map(
      (v): [Settings, GruVariant] => [settings, v],
    ),
  );

const variantName = ({ resetAfter, updateGateOnCandidate }: GruVariant): string =>
  `, reset ${resetAfter ? 'after' : 'before'}${updateGateOnCandidate ? ', update gate on the candidate' : ''}`;

function gruForwardTrial(settings: Settings, variant: GruVariant): Trial {
  const { T, B, H } = settings;
  const { resetAfter } = variant;
  const saved: Arrays = settings.saving
    ? {
        gates: draw.nan(T * B * (resetAfter ? 4 : 3) * H),
        ...(resetAfter ? {} : { rh: draw.nan(T * B * H) }),
      }
    : {};
  return {
    name: settings.name + variantName(variant),
    arrays: { ...forwardArrays(settings, 3, (resetAfter ? 6 : 3) * H), ...saved },
    call: (kernels, blocks) =>
      kernels.gruForward({
        ...forwardArguments(settings, blocks),
        ...{ ...SIGMOID, ...variant, gates: blocks.gates ?? null, rh: blocks.rh ?? null },
      }),
  };
}

function gruBackwardTrial(settings: Settings, variant: GruVariant): Trial {
  const { H } = settings;
  const width = (variant.resetAfter ? 4 : 3) * H;
  return {
    name: settings.name + variantName(variant),
    arrays: {
      ...backwardArrays(settings, width),
      ...savedStates(settings),
      U: draw.normal(H * 3 * H, 'U').map((value) => Math.fround((0.7 * value) / Math.sqrt(H))),
      gates: gateValues(settings, width),
    },
    call: (kernels, blocks) =>
      kernels.gruBackward({
        ...backwardArguments(settings, blocks),
        ...{
          ...SIGMOID,
          ...variant,
          I: settings.I,
          xh: blocks.xh,
          hs: blocks.hs ?? null,
          gates: blocks.gates,
        },
      }),
  };
}

const kernelCase = (
  kernel: RecurrentKernel,
  trials: () => Trial[],
  tolerance: (expected: Float64Array) => number,
): ContractCase[] => [differentialCase(kernel, 'sizes and options', trials, tolerance)];

export const recurrentKernelCases: { readonly [K in RecurrentKernel]: readonly ContractCase[] } = {
  rnnForward: kernelCase('rnnForward', () => SETTINGS.map(rnnForwardTrial), outputTolerance),
  rnnBackward: kernelCase('rnnBackward', () => SETTINGS.map(rnnBackwardTrial), gradientTolerance),
  lstmForward: kernelCase('lstmForward', () => SETTINGS.map(lstmForwardTrial), outputTolerance),
  lstmBackward: kernelCase('lstmBackward', () => SETTINGS.map(lstmBackwardTrial), gradientTolerance),
  gruForward: kernelCase(
    'gruForward',
    () => gruSettings().map(([settings, variant]) => gruForwardTrial(settings, variant)),
    outputTolerance,
  ),
  gruBackward: kernelCase(
    'gruBackward',
    () => gruSettings().map(([settings, variant]) => gruBackwardTrial(settings, variant)),
    gradientTolerance,
  ),
};
