/**
 * Cases for the fused recurrent kernels, called directly, for uses that the ops do not cover: gradients of every h_t
 * and c_t, outputs written into a wider block or in reverse time order, no outputs and no gates, large batches and
 * large states.
 */
import type { ActivationName, Block, KernelName, SequenceView } from '@unroll/core/internal';
import { gradientTolerance, outputTolerance } from '../compare.js';
import type { ContractCase } from './case.js';
import { type Arrays, type Blocks, differentialCase, draw, type Trial } from './differential.js';

type RecurrentKernel = Extract<KernelName, `${'rnn' | 'lstm' | 'gru'}${'Forward' | 'Backward'}`>;

interface Form {
  name: string;
  T: number;
  B: number;
  I: number;
  H: number;
  masked: boolean;
  dropped: boolean;
  bias: boolean;
  /** Save the values that backward needs. */
  saving: boolean;
  /** The kernel copies its inputs from `x` one time step at a time. */
  copiesInputsByStep: boolean;
  /**
   * The width of the block that contains the outputs, their offset in it, and whether they are in reverse time order.
   * Null: no outputs.
   */
  output: { width: number; at: number; reversed: boolean } | null;
  activation: ActivationName;
  /** The step t and batch row b whose inputs (backward: gates) are NaN. */
  nanAt?: readonly [t: number, b: number];
}

const form = (changes: Partial<Form> & Pick<Form, 'name'>): Form => ({
  ...{
    T: 4,
    B: 5,
    I: 3,
    H: 19,
    masked: true,
    dropped: true,
    bias: true,
    saving: true,
    copiesInputsByStep: false,
    activation: 'tanh',
  },
  output: { width: 19, at: 0, reversed: false },
  ...changes,
});

const FORMS: readonly Form[] = [
  form({ name: 'everything' }),
  form({ name: 'no outputs, nothing saved', output: null, saving: false }),
  form({ name: 'nothing saved', saving: false, masked: false }),
  form({ name: 'no mask, no dropout, no bias', masked: false, dropped: false, bias: false }),
  form({ name: 'into the second half of a wider block', output: { width: 45, at: 22, reversed: false } }),
  form({ name: 'outputs in reverse time order', output: { width: 19, at: 0, reversed: true } }),
  form({ name: 'relu', activation: 'relu', dropped: false }),
  form({ name: 'one of each', T: 1, B: 1, I: 1, H: 1, output: { width: 1, at: 0, reversed: false } }),
  form({
    name: 'many rows',
    T: 7,
    B: 67,
    H: 64,
    dropped: false,
    output: { width: 64, at: 0, reversed: false },
  }),
  form({ name: 'a large state', T: 2, B: 9, H: 257, I: 5, output: { width: 257, at: 0, reversed: false } }),
  form({ name: 'no rows', B: 0 }),
  ...[
    {
      name: 'inputs copied by step',
      T: 7,
      B: 67,
      I: 21,
      H: 64,
      output: { width: 64, at: 0, reversed: false },
    },
    { name: 'inputs copied by step, an even number of steps', B: 13, bias: false },
    { name: 'inputs copied by step, one step', T: 1, B: 9, I: 1, masked: false },
    {
      name: 'inputs copied by step, no dropout, NaN at a masked step',
      B: 9,
      dropped: false,
      nanAt: [0, 0] as const,
    },
  ].map((changes) => form({ saving: false, copiesInputsByStep: true, ...changes })),
  // A NaN affects only its own batch row, and nothing if its step is masked.
  form({ name: 'NaN at a valid step', nanAt: [1, 1] }),
  form({ name: 'NaN at a masked step', nanAt: [0, 0] }),
];

/** Masks [T, B] in processing order. They differ between batch rows; the last row is masked at every step. */
function masks(T: number, B: number): Arrays {
  const mask = Float64Array.from({ length: T * B }, (_, i) => {
    const [t, b] = [Math.floor(i / B), i % B];
    return (t + b) % 3 !== 0 && !(b === B - 1 && B > 1) ? 1 : 0;
  });
  const outputMask = mask.slice();
  for (let i = B; i < outputMask.length; i++) outputMask[i] = Math.max(outputMask[i], outputMask[i - B]);
  return { mask, outputMask };
}

/** An inverted dropout mask with values 0 (about 30 %) and 1.25. */
const dropoutMask = (count: number): Float64Array =>
  draw.normal(count, 'rmask').map((value) => (value < -0.5 ? 0 : 1.25));

/** The row of [T, B] for a step and a batch row. */
const rowOf = (B: number, [t, b]: readonly [number, number]): number => t * B + b;

/** The arrays that every forward kernel reads and writes. */
function common(f: Form, G: number, biasSize: number): Arrays {
  const { T, B, I, H, output } = f;
  const K = I + H;
  const xh = draw.blank((f.copiesInputsByStep ? 2 : T + 1) * B * K);
  const x = draw.normal(T * B * I, 'x');
  const nanRow = f.nanAt && rowOf(B, f.nanAt);
  if (nanRow !== undefined) x.fill(Number.NaN, nanRow * I, (nanRow + 1) * I);
  const h = draw.normal(B * H, 'h');
  const rmask = dropoutMask(B * H);
  for (let i = 0; i < T * B && !f.copiesInputsByStep; i++) xh.set(x.subarray(i * I, (i + 1) * I), i * K);
  for (let b = 0; b < B; b++) {
    for (let u = 0; u < H; u++)
      xh[b * K + I + u] = Math.fround(h[b * H + u] * (f.dropped ? rmask[b * H + u] : 1));
  }
  const hs = draw.blank((T + 1) * B * H);
  hs.set(h);
  return {
    W: draw.normal(I * G * H, 'W').map((value) => Math.fround(value / Math.sqrt(I))),
    U: draw.normal(H * G * H, 'U').map((value) => Math.fround((0.7 * value) / Math.sqrt(H))),
    xh,
    ...(f.copiesInputsByStep ? { x } : {}),
    ...(f.bias ? { b: draw.normal(biasSize, 'b') } : {}),
    ...(f.masked ? masks(T, B) : {}),
    ...(f.dropped ? { hs, rmask } : {}),
    ...(output ? { y: draw.blank(B * T * output.width) } : {}),
  };
}

function view(f: Form, block: Block | undefined): SequenceView | null {
  if (!f.output || !block) return null;
  const { width, at, reversed } = f.output;
  const step = reversed ? -width : width;
  return { block, offset: at + (reversed ? (f.T - 1) * width : 0), strideT: step, strideB: f.T * width };
}

const shared = (f: Form, blocks: Blocks) => ({
  ...{ T: f.T, B: f.B, H: f.H, activation: f.activation },
  ...{
    rmask: blocks.rmask ?? null,
    mask: blocks.mask ?? null,
    outputMask: blocks.outputMask ?? null,
    U: blocks.U,
  },
});
const forward = (f: Form, blocks: Blocks) => ({
  ...shared(f, blocks),
  ...{
    I: f.I,
    W: blocks.W,
    b: blocks.b ?? null,
    xh: blocks.xh,
    x: f.copiesInputsByStep ? blocks.x : null,
    reverse: f.B === 67,
    hs: blocks.hs ?? null,
    y: view(f, blocks.y),
  },
});

/** The arrays of a backward kernel, apart from the values saved by forward: upstream gradients and result blocks. */
function incoming(f: Form, dGWidth: number): Arrays {
  const { T, B, H, output } = f;
  return {
    U: draw.normal(H * dGWidth, 'U').map((value) => Math.fround((0.7 * value) / Math.sqrt(H))),
    ...(f.masked ? masks(T, B) : {}),
    ...(f.dropped ? { rmask: dropoutMask(B * H) } : {}),
    ...(output ? { dy: draw.normal(B * T * output.width, 'dy') } : {}),
    dh: draw.normal(B * H, 'dh'),
    dG: draw.blank(T * B * dGWidth),
    ...(f.saving ? { dhAll: draw.blank(T * B * H) } : {}),
  };
}

const backward = (f: Form, blocks: Blocks) => ({
  ...shared(f, blocks),
  ...{ dy: view(f, blocks.dy), dh: blocks.dh, dhAll: blocks.dhAll ?? null, dG: blocks.dG },
});

/** Saved gates [T, B, width]: numbers in (0, 1). */
function gateValues(f: Form, width: number): Float64Array {
  const gates = draw.normal(f.T * f.B * width, 'gates').map((x) => Math.fround(1 / (1 + Math.exp(-x))));
  const nanRow = f.nanAt && rowOf(f.B, f.nanAt);
  if (nanRow !== undefined) gates.fill(Number.NaN, nanRow * width, (nanRow + 1) * width);
  return gates;
}

const SIGMOID = { recurrentActivation: 'sigmoid' } as const;

function lstmForwardTrial(f: Form): Trial {
  const { T, B, H } = f;
  const c = draw.blank((f.saving ? T + 1 : 1) * B * H);
  c.set(draw.normal(B * H, 'c'));
  const saved: Arrays = f.saving ? { gates: draw.blank(T * B * 4 * H) } : {};
  return {
    name: f.name,
    arrays: { ...common(f, 4, 4 * H), c, ...saved },
    call: (kernels, blocks) =>
      kernels.lstmForward({
        ...forward(f, blocks),
        ...{ ...SIGMOID, c: blocks.c, keepCells: f.saving, gates: blocks.gates ?? null },
      }),
  };
}

function lstmBackwardTrial(f: Form): Trial {
  const { T, B, H } = f;
  return {
    name: f.name,
    arrays: {
      ...incoming(f, 4 * H),
      gates: gateValues(f, 4 * H),
      c: draw.normal((T + 1) * B * H, 'c'),
      dc: draw.normal(B * H, 'dc'),
      ...(f.saving ? { dcAll: draw.blank(T * B * H) } : {}),
    },
    call: (kernels, blocks) =>
      kernels.lstmBackward({
        ...backward(f, blocks),
        ...{ ...SIGMOID, gates: blocks.gates, c: blocks.c, dc: blocks.dc, dcAll: blocks.dcAll ?? null },
      }),
  };
}

function rnnForwardTrial(f: Form): Trial {
  return {
    name: f.name,
    arrays: common(f, 1, f.H),
    call: (kernels, blocks) => kernels.rnnForward(forward(f, blocks)),
  };
}

/** xh and hs as forward saves them: the state in xh is the state in hs times the dropout mask. */
function savedStates({ T, B, I, H, dropped }: Form): Arrays {
  const xh = draw.normal((T + 1) * B * (I + H), 'xh');
  if (!dropped) return { xh };
  const hs = draw.normal((T + 1) * B * H, 'hs');
  const rmask = dropoutMask(B * H);
  hs.forEach((value, i) => {
    const [row, u] = [Math.floor(i / H), i % H];
    xh[row * (I + H) + I + u] = Math.fround(value * rmask[(row % B) * H + u]);
  });
  return { xh, hs };
}

function rnnBackwardTrial(f: Form): Trial {
  return {
    name: f.name,
    arrays: { ...incoming(f, f.H), ...savedStates(f) },
    call: (kernels, blocks) =>
      kernels.rnnBackward({ ...backward(f, blocks), I: f.I, xh: blocks.xh, hs: blocks.hs ?? null }),
  };
}

interface GruForm {
  resetAfter: boolean;
  textbook: boolean;
}
const GRU_FORMS: readonly GruForm[] = [
  { resetAfter: true, textbook: false },
  { resetAfter: false, textbook: false },
  { resetAfter: true, textbook: true },
  { resetAfter: false, textbook: true },
];
/** Every form with every variant, except that large forms skip the textbook variants. */
const gruForms = (): [Form, GruForm][] =>
  FORMS.flatMap((f) =>
    GRU_FORMS.filter((v) => !v.textbook || f.B * f.H < 1000).map((v): [Form, GruForm] => [f, v]),
  );
const gruName = ({ resetAfter, textbook }: GruForm): string =>
  `, reset ${resetAfter ? 'after' : 'before'}${textbook ? ', textbook' : ''}`;

function gruForwardTrial(f: Form, variant: GruForm): Trial {
  const { T, B, H } = f;
  const { resetAfter } = variant;
  const saved: Arrays = f.saving
    ? {
        gates: draw.blank(T * B * (resetAfter ? 4 : 3) * H),
        ...(resetAfter ? {} : { rh: draw.blank(T * B * H) }),
      }
    : {};
  return {
    name: f.name + gruName(variant),
    arrays: { ...common(f, 3, (resetAfter ? 6 : 3) * H), ...saved },
    call: (kernels, blocks) =>
      kernels.gruForward({
        ...forward(f, blocks),
        ...{ ...SIGMOID, ...variant, gates: blocks.gates ?? null, rh: blocks.rh ?? null },
      }),
  };
}

function gruBackwardTrial(f: Form, variant: GruForm): Trial {
  const { H } = f;
  const width = (variant.resetAfter ? 4 : 3) * H;
  return {
    name: f.name + gruName(variant),
    arrays: {
      ...incoming(f, width),
      ...savedStates(f),
      U: draw.normal(H * 3 * H, 'U').map((value) => Math.fround((0.7 * value) / Math.sqrt(H))),
      gates: gateValues(f, width),
    },
    call: (kernels, blocks) =>
      kernels.gruBackward({
        ...backward(f, blocks),
        ...{ ...SIGMOID, ...variant, I: f.I, xh: blocks.xh, hs: blocks.hs ?? null, gates: blocks.gates },
      }),
  };
}

const direct = (
  kernel: RecurrentKernel,
  trials: () => Trial[],
  allowed: (expected: Float64Array) => number,
): ContractCase[] => [differentialCase(kernel, 'called directly', trials, allowed)];

/** Backward computes the derivatives of the activations from the saved gates, so any numbers in (0, 1) are valid. */
export const recurrentKernelCases: { readonly [K in RecurrentKernel]: readonly ContractCase[] } = {
  rnnForward: direct('rnnForward', () => FORMS.map(rnnForwardTrial), outputTolerance),
  rnnBackward: direct('rnnBackward', () => FORMS.map(rnnBackwardTrial), gradientTolerance),
  lstmForward: direct('lstmForward', () => FORMS.map(lstmForwardTrial), outputTolerance),
  lstmBackward: direct('lstmBackward', () => FORMS.map(lstmBackwardTrial), gradientTolerance),
  gruForward: direct(
    'gruForward',
    () => gruForms().map(([f, variant]) => gruForwardTrial(f, variant)),
    outputTolerance,
  ),
  gruBackward: direct(
    'gruBackward',
    () => gruForms().map(([f, variant]) => gruBackwardTrial(f, variant)),
    gradientTolerance,
  ),
};
