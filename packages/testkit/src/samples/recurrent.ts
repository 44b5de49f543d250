/**
 * Samples of the fused recurrent ops: every combination of options at one size that fills a vector and leaves a
 * remainder, every pair of activations, and all options together at sizes that are difficult for tiles and threads.
 */
import { formatShape, type RandomStream, type Shape } from '@unroll/core';
import type { ActivationName, Inputs } from '@unroll/core/internal';
import { type Drawn, type Maker, normal } from '../draw.js';
import { ABSENT, type AttributesOf, type InputsOf, type Sample, type Samples } from './sample.js';

interface CellKind {
  /** Number of gates. */
  G: number;
  bias(H: number): Shape;
}

type Size = readonly [B: number, T: number, I: number, H: number];
type MaskKind = 'holes' | 'leading' | 'trailing' | 'wholeRow';

interface Options {
  size: Size;
  returnSequences: boolean;
  reverse: boolean;
  realign: boolean;
  states: boolean;
  mask: MaskKind | null;
  zeroOutputForMask: boolean;
  recurrentMask: boolean;
  bias: boolean;
  activation: ActivationName;
}

const FULL: Options = {
  size: [2, 3, 2, 17],
  ...{ returnSequences: true, reverse: false, realign: false, states: true, mask: 'holes' },
  ...{ zeroOutputForMask: false, recurrentMask: true, bias: true, activation: 'tanh' },
};

const ACTIVATIONS: readonly ActivationName[] = ['tanh', 'relu', 'sigmoid', 'hardSigmoid', 'linear'];

/** A mask [B, T] whose pattern shifts from row to row, so that the rows of a batch differ. */
function mask(kind: MaskKind, B: number, T: number): Maker {
  const valid: Record<MaskKind, (b: number, t: number) => boolean> = {
    holes: (b, t) => (b + t) % 3 !== 1,
    leading: (b, t) => t >= Math.min(b, T - 1),
    trailing: (b, t) => t < Math.max(1, T - b),
    wholeRow: (b, t) => b % 2 === 1 && t !== 1,
  };
  const at = (i: number): number => (valid[kind](Math.floor(i / T), i % T) ? 1 : 0);
  return (): Drawn => ({ shape: [B, T], values: Float64Array.from({ length: B * T }, (_, i) => at(i)) });
}

/** An inverted dropout mask with a rate of 1/4: 0 or 4/3. */
function dropped(shape: Shape): Maker {
  return (stream: RandomStream): Drawn => {
    const { values } = normal(shape)(stream);
    return { shape, values: values.map((x) => (x < -0.67 ? 0 : Math.fround(4 / 3))) };
  };
}

/** The inputs of a cell before and after its initial states, and a maker for each initial state. */
function operands({ G, bias }: CellKind, options: Options) {
  const [B, T, I, H] = options.size;
  const before: [Maker, Maker, Maker, Maker | null] = [
    normal([B, T, I]),
    normal([I, G * H], 0.7 / Math.sqrt(I)),
    normal([H, G * H], 0.7 / Math.sqrt(H)),
    options.bias ? normal(bias(H), 0.3) : null,
  ];
  const after: [Maker | null, Maker | null] = [
    options.mask && mask(options.mask, B, T),
    options.recurrentMask ? dropped([B, H]) : null,
  ];
  return { before, state: options.states ? normal([B, H]) : null, after };
}

function gradients({ bias, states }: Options) {
  const before: [true, true, true, true | string] = [true, true, true, bias || ABSENT];
  const after: [string, string] = ['masks are constants', 'dropout masks are constants'];
  return { before, state: states || ABSENT, after };
}

/** Builds a sample of a cell. */
type Build<I extends Inputs> = <A extends object>(
  options: Options,
  attrs: A,
  elements: number,
) => Sample<A, I>;

/** Builds samples of a cell with one state. */
const single =
  (kind: CellKind): Build<InputsOf<'rnn'>> =>
  (options, attrs, elements) => {
    const read = operands(kind, options);
    const checked = gradients(options);
    return {
      name: describe(options, attrs),
      inputs: [...read.before, read.state, ...read.after],
      attrs,
      gradients: [...checked.before, checked.state, ...checked.after],
      elements,
    };
  };

/** Builds samples of a cell with two states. */
const double =
  (kind: CellKind): Build<InputsOf<'lstm'>> =>
  (options, attrs, elements) => {
    const read = operands(kind, options);
    const checked = gradients(options);
    return {
      name: describe(options, attrs),
      inputs: [...read.before, read.state, read.state, ...read.after],
      attrs,
      gradients: [...checked.before, checked.state, checked.state, ...checked.after],
      elements,
    };
  };

function describe(o: Options, attrs: object): string {
  const own = attrs as { recurrentActivation?: string; resetAfter?: boolean; textbook?: boolean };
  const words = [
    formatShape(o.size),
    o.returnSequences ? 'sequences' : 'last',
    o.reverse && 'reverse',
    o.realign && 'realign',
    o.states && 'states',
    o.mask && `mask=${o.mask}`,
    o.zeroOutputForMask && 'zeroOutput',
    o.recurrentMask && 'recurrentMask',
    !o.bias && 'noBias',
    own.resetAfter === false && 'resetBefore',
    own.textbook && 'textbook',
    `${o.activation}${own.recurrentActivation ? `/${own.recurrentActivation}` : ''}`,
  ];
  return words.filter(Boolean).join(' ');
}

const BOTH = [false, true] as const;

/** Every combination of the options, apart from activations. */
function combinations(): Options[] {
  const masks = [
    { mask: null, zeroOutputForMask: false },
    ...(['holes', 'leading', 'wholeRow'] as const).flatMap((kind) =>
      BOTH.map((zeroOutputForMask) => ({ mask: kind, zeroOutputForMask })),
    ),
  ];
  const directions = [
    { reverse: false, realign: false },
    { reverse: true, realign: false },
    { reverse: true, realign: true },
  ];
  const out: Options[] = [];
  for (const returnSequences of BOTH)
    for (const direction of directions)
      for (const states of BOTH)
        for (const masking of masks)
          for (const recurrentMask of BOTH)
            for (const bias of BOTH)
              out.push({ ...FULL, returnSequences, ...direction, states, ...masking, recurrentMask, bias });
  return out;
}

const SIZES: readonly Size[] = [
  [1, 1, 1, 1],
  [3, 4, 2, 3],
  [17, 3, 1, 17],
  [5, 2, 33, 33],
  [1, 9, 3, 64],
  [33, 3, 5, 20],
  [2, 40, 1, 8],
  [7, 2, 3, 130],
  [0, 3, 2, 4],
];
const MANY_ROWS: Size = [64, 4, 3, 48];

const sized = (): Options[] => [
  ...SIZES.flatMap((size): Options[] => [
    { ...FULL, size },
    { ...FULL, size, mask: null, recurrentMask: false, states: false, returnSequences: false },
  ]),
  { ...FULL, size: MANY_ROWS, mask: 'trailing' },
];

/** The attributes that all cells have. */
const sharedAttributes = ({ returnSequences, reverse, realign, zeroOutputForMask, activation }: Options) => ({
  ...{ returnSequences, reverse, realign, zeroOutputForMask, activation },
});

function cellSamples<A extends object, I extends Inputs>(
  build: Build<I>,
  attributes: (options: Options) => A,
  only = combinations(),
): Sample<A, I>[] {
  return only.map((options) => build(options, attributes(options), 0));
}

const RNN = single({ G: 1, bias: (H) => [H] });
const LSTM = double({ G: 4, bias: (H) => [4 * H] });
const GRU_AFTER = single({ G: 3, bias: (H) => [2, 3 * H] });
const GRU_BEFORE = single({ G: 3, bias: (H) => [3 * H] });

const sigmoidGates = { recurrentActivation: 'sigmoid' } as const;
const plain = (options: Options): AttributesOf<'rnn'> => sharedAttributes(options);
const gated = (options: Options): AttributesOf<'lstm'> => ({ ...sharedAttributes(options), ...sigmoidGates });
const gruOf =
  (resetAfter: boolean, textbook: boolean) =>
  (options: Options): AttributesOf<'gru'> => ({
    ...sharedAttributes(options),
    ...sigmoidGates,
    resetAfter,
    textbook,
  });

const activated = ACTIVATIONS.map((activation): Options => ({ ...FULL, activation }));

/** Every pair of an activation and a gate activation. */
function pairs<A extends { recurrentActivation: ActivationName }, I extends Inputs>(
  build: Build<I>,
  attributes: (options: Options) => A,
): Sample<A, I>[] {
  return activated.flatMap((options) =>
    ACTIVATIONS.filter((name) => !(options.activation === 'tanh' && name === 'sigmoid')).map(
      (recurrentActivation) => build(options, { ...attributes(options), recurrentActivation }, 2),
    ),
  );
}

/** Combinations of the options that affect the cell itself. The code for the others does not depend on the cell. */
const core = combinations().filter((o) => o.returnSequences && o.bias && o.reverse === o.realign);

/**
 * A third of all combinations, which still contains every pair of values of two options. It is enough for cells that
 * share everything but their equations with the LSTM.
 */
const third = combinations().filter((_, i) => i % 3 === 0);

export const recurrentSamples = {
  rnn: [
    ...cellSamples(RNN, plain, third),
    ...cellSamples(RNN, plain, activated.slice(1)),
    ...cellSamples(RNN, plain, sized()),
  ],
  lstm: [...cellSamples(LSTM, gated), ...pairs(LSTM, gated), ...cellSamples(LSTM, gated, sized())],
  gru: [
    ...cellSamples(GRU_AFTER, gruOf(true, false), third),
    ...pairs(GRU_AFTER, gruOf(true, false)),
    ...cellSamples(GRU_AFTER, gruOf(true, false), sized()),
    ...cellSamples(GRU_AFTER, gruOf(true, true), core),
    ...cellSamples(GRU_BEFORE, gruOf(false, true), core),
    ...cellSamples(GRU_BEFORE, gruOf(false, false), core),
    ...pairs(GRU_BEFORE, gruOf(false, false)),
    ...cellSamples(GRU_BEFORE, gruOf(false, false), sized()),
  ],
} satisfies Partial<Samples>;
