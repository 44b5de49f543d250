/**
 * Samples of the fused recurrent ops: combinations of options at 17 units (one SIMD vector and a remainder), pairs of
 * activations, and most options together at sizes that are difficult for tiles and threads.
 */
import { formatShape, type RandomStream, type Shape } from '@unroll/core';
import type { ActivationName, Inputs } from '@unroll/core/internal';
import { type DrawnTensor, normal, type TensorGenerator, uniform } from '../draw.js';
import { ABSENT, type AttributesOf, type InputsOf, type Sample, type Samples } from './sample.js';

interface CellKind {
  /** Number of gates. */
  G: number;
  /** Shape of the bias for H units. */
  biasShape(H: number): Shape;
}

/** Sequences, steps, inputs, units. */
type Size = readonly [B: number, T: number, I: number, H: number];
/** Where a mask has padding; `holes`: between valid steps, `wholeRow`: at all steps of some sequences. */
type MaskKind = 'holes' | 'leading' | 'trailing' | 'wholeRow';

interface Options {
  size: Size;
  returnSequences: boolean;
  reverse: boolean;
  /** With `reverse`: true returns the outputs in time order, false in processing order. */
  timeOrder: boolean;
  /** Whether initial states are given. */
  states: boolean;
  mask: MaskKind | null;
  zeroOutputForMask: boolean;
  /** Whether recurrent dropout is applied: the op's input `recurrentDropoutMask` is then given. */
  recurrentDropout: boolean;
  bias: boolean;
  activation: ActivationName;
}

/** Most of the options at once; the other samples change some of them. */
const FULL: Options = {
  size: [2, 3, 2, 17],
  ...{ returnSequences: true, reverse: false, timeOrder: false, states: true, mask: 'holes' },
  ...{ zeroOutputForMask: false, recurrentDropout: true, bias: true, activation: 'tanh' },
};

const ACTIVATIONS: readonly ActivationName[] = ['tanh', 'relu', 'sigmoid', 'hardSigmoid', 'linear'];

/** Returns a generator of a mask [B, T] whose pattern differs from sequence to sequence. */
function maskOf(kind: MaskKind, B: number, T: number): TensorGenerator {
  const valid: Record<MaskKind, (b: number, t: number) => boolean> = {
    holes: (b, t) => (b + t) % 3 !== 1,
    leading: (b, t) => t >= Math.min(b, T - 1),
    trailing: (b, t) => t < Math.max(1, T - b),
    wholeRow: (b, t) => b % 2 === 1 && t !== 1,
  };
  const value = (i: number): number => (valid[kind](Math.floor(i / T), i % T) ? 1 : 0);
  return (): DrawnTensor => ({
    shape: [B, T],
    values: Float64Array.from({ length: B * T }, (_, i) => value(i)),
  });
}

/** Returns a generator of an inverted dropout mask with a rate of 1/4: 0 or 4/3. */
function dropoutMask(shape: Shape): TensorGenerator {
  return (stream: RandomStream): DrawnTensor => {
    const { values } = normal(shape)(stream);
    return { shape, values: values.map((x) => (x < -0.67 ? 0 : Math.fround(4 / 3))) };
  };
}

/**
 * Returns generators for the inputs of a recurrent op, in the order of the op: those that precede the initial states, one
 * initial state (null: none), and those that follow the initial states.
 */
function inputGenerators({ G, biasShape }: CellKind, options: Options) {
  const [B, T, I, H] = options.size;
  const before: [TensorGenerator, TensorGenerator, TensorGenerator, TensorGenerator | null] = [
    normal([B, T, I]),
    normal([I, G * H], 0.7 / Math.sqrt(I)),
    normal([H, G * H], 0.7 / Math.sqrt(H)),
    options.bias ? normal(biasShape(H), 0.3) : null,
  ];
  const after: [TensorGenerator | null, TensorGenerator | null] = [
    options.mask && maskOf(options.mask, B, T),
    options.recurrentDropout ? dropoutMask([B, H]) : null,
  ];
  return { before, state: options.states ? normal([B, H]) : null, after };
}

/** For each input of {@link inputGenerators}: true if its gradient is checked, otherwise the reason why it has none. */
function gradientChecks({ bias, states }: Options) {
  const before: [true, true, true, true | string] = [true, true, true, bias || ABSENT];
  const after: [string, string] = ['masks are constants', 'dropout masks are constants'];
  return { before, state: states || ABSENT, after };
}

/**
 * Builds a sample of a cell.
 * @param checkedElements number of elements of each input whose gradients are checked one at a time
 */
type SampleBuilder<I extends Inputs> = <A extends object>(
  options: Options,
  attrs: A,
  checkedElements: number,
) => Sample<A, I>;

/** Returns the builder for a cell with one state. */
const oneState =
  (kind: CellKind): SampleBuilder<InputsOf<'rnn'>> =>
  (options, attrs, checkedElements) => {
    const generators = inputGenerators(kind, options);
    const checks = gradientChecks(options);
    return {
      name: nameOf(options, attrs),
      inputs: [...generators.before, generators.state, ...generators.after],
      attrs,
      gradients: [...checks.before, checks.state, ...checks.after],
      checkedElements,
    };
  };

/** Returns the builder for a cell with two states. */
const twoStates =
  (kind: CellKind): SampleBuilder<InputsOf<'lstm'>> =>
  (options, attrs, checkedElements) => {
    const generators = inputGenerators(kind, options);
    const checks = gradientChecks(options);
    return {
      name: nameOf(options, attrs),
      inputs: [...generators.before, generators.state, generators.state, ...generators.after],
      attrs,
      gradients: [...checks.before, checks.state, checks.state, ...checks.after],
      checkedElements,
    };
  };

/** Returns the name of a sample: its size, its options and its activations. */
function nameOf(o: Options, attrs: object): string {
  const cell = attrs as {
    recurrentActivation?: string;
    resetAfter?: boolean;
    updateGateOnCandidate?: boolean;
  };
  // The words must not change: the name of a sample seeds its random inputs. (`realign` is timeOrder, `recurrentMask` the mask of
  // recurrent dropout.)
  const words = [
    formatShape(o.size),
    o.returnSequences ? 'sequences' : 'last',
    o.reverse && 'reverse',
    o.timeOrder && 'realign',
    o.states && 'states',
    o.mask && `mask=${o.mask}`,
    o.zeroOutputForMask && 'zeroOutput',
    o.recurrentDropout && 'recurrentMask',
    !o.bias && 'noBias',
    cell.resetAfter === false && 'resetBefore',
    cell.updateGateOnCandidate && 'update gate on the candidate',
    `${o.activation}${cell.recurrentActivation ? `/${cell.recurrentActivation}` : ''}`,
  ];
  return words.filter(Boolean).join(' ');
}

const BOTH = [false, true] as const;

/** Returns every combination of the options, apart from activations. */
function combinations(): Options[] {
  const masks = [
    { mask: null, zeroOutputForMask: false },
    ...(['holes', 'leading', 'wholeRow'] as const).flatMap((kind) =>
      BOTH.map((zeroOutputForMask) => ({ mask: kind, zeroOutputForMask })),
    ),
  ];
  const directions = [
    { reverse: false, timeOrder: false },
    { reverse: true, timeOrder: false },
    { reverse: true, timeOrder: true },
  ];
  const out: Options[] = [];
  for (const returnSequences of BOTH)
    for (const direction of directions)
      for (const states of BOTH)
        for (const masking of masks)
          for (const recurrentDropout of BOTH)
            for (const bias of BOTH)
              out.push({
                ...FULL,
                returnSequences,
                ...direction,
                states,
                ...masking,
                recurrentDropout,
                bias,
              });
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
const MANY_SEQUENCES: Size = [64, 4, 3, 48];

/** Returns options for sizes that leave remainders, and for many sequences. */
const sizeOptions = (): Options[] => [
  ...SIZES.flatMap((size): Options[] => [
    { ...FULL, size },
    { ...FULL, size, mask: null, recurrentDropout: false, states: false, returnSequences: false },
  ]),
  { ...FULL, size: MANY_SEQUENCES, mask: 'trailing' },
];

/** Returns the attributes that all cells have. */
const sharedAttributes = ({
  returnSequences,
  reverse,
  timeOrder,
  zeroOutputForMask,
  activation,
}: Options) => ({
  ...{ returnSequences, reverse, timeOrder, zeroOutputForMask, activation },
});

/** Returns one sample for each set of options. `attributes` converts options to the attributes of the op. */
function cellSamples<A extends object, I extends Inputs>(
  build: SampleBuilder<I>,
  attributes: (options: Options) => A,
  optionSets = combinations(),
): Sample<A, I>[] {
  return optionSets.map((options) => build(options, attributes(options), 0));
}

const RNN = oneState({ G: 1, biasShape: (H) => [H] });
const LSTM = twoStates({ G: 4, biasShape: (H) => [4 * H] });
const GRU_AFTER = oneState({ G: 3, biasShape: (H) => [2, 3 * H] });
const GRU_BEFORE = oneState({ G: 3, biasShape: (H) => [3 * H] });

const sigmoidGates = { recurrentActivation: 'sigmoid' } as const;
const rnnAttributes = (options: Options): AttributesOf<'rnn'> => sharedAttributes(options);
const lstmAttributes = (options: Options): AttributesOf<'lstm'> => ({
  ...sharedAttributes(options),
  ...sigmoidGates,
});
const gruAttributes =
  (resetAfter: boolean, updateGateOnCandidate: boolean) =>
  (options: Options): AttributesOf<'gru'> => ({
    ...sharedAttributes(options),
    ...sigmoidGates,
    resetAfter,
    updateGateOnCandidate,
  });

const activationOptions = ACTIVATIONS.map((activation): Options => ({ ...FULL, activation }));

/** Returns samples of every pair of an activation and a gate activation, except the default pair. */
function activationPairs<A extends { recurrentActivation: ActivationName }, I extends Inputs>(
  build: SampleBuilder<I>,
  attributes: (options: Options) => A,
): Sample<A, I>[] {
  return activationOptions.flatMap((options) =>
    ACTIVATIONS.filter((name) => !(options.activation === 'tanh' && name === 'sigmoid')).map(
      (recurrentActivation) => build(options, { ...attributes(options), recurrentActivation }, 2),
    ),
  );
}

/**
 * Every combination of the options that each cell implements separately: direction, initial states, masking and recurrent
 * dropout. All these samples have a bias and return sequences, in time order.
 */
const cellOptions = combinations().filter((o) => o.returnSequences && o.bias && o.reverse === o.timeOrder);

/**
 * A third of all combinations. This third contains every pair of values of two options, which is enough for cells that
 * differ from the LSTM only in their equations.
 */
const everyThird = combinations().filter((_, i) => i % 3 === 0);

/** Returns samples of the linear scan: sizes around one SIMD vector, and every option. Factors are in [0, 1), like gates. */
function scanSamples(): Sample<AttributesOf<'linearScan'>, InputsOf<'linearScan'>>[] {
  const sizes = [[1, 1, 1], [2, 5, 17], [3, 4, 33], [1, 7, 130], [9, 3, 16]] as const; // biome-ignore format: a list
  return sizes.flatMap(([B, T, H]) =>
    ([null, 'holes', 'leading', 'wholeRow'] as const).flatMap((mask) =>
      [false, true].map((reverse) => {
        const hasState = reverse !== (mask === 'leading');
        const options = `${mask ? `, ${mask} masked` : ''}${reverse ? ', reverse' : ''}`;
        return {
          name: `${formatShape([B, T, H])}${options}${hasState ? ', initial state' : ''}`,
          inputs: [
            uniform(0, 1, [B, T, H]),
            normal([B, T, H]),
            hasState ? normal([B, H]) : null,
            mask && maskOf(mask, B, T),
          ],
          attrs: { reverse },
          gradients: [true, true, hasState || ABSENT, 'masks are constants'],
          checkedElements: 5,
        } satisfies Sample<AttributesOf<'linearScan'>, InputsOf<'linearScan'>>;
      }),
    ),
  );
}

export const recurrentSamples = {
  linearScan: scanSamples(),
  rnn: [
    ...cellSamples(RNN, rnnAttributes, everyThird),
    ...cellSamples(RNN, rnnAttributes, activationOptions.slice(1)),
    ...cellSamples(RNN, rnnAttributes, sizeOptions()),
  ],
  lstm: [
    ...cellSamples(LSTM, lstmAttributes),
    ...activationPairs(LSTM, lstmAttributes),
    ...cellSamples(LSTM, lstmAttributes, sizeOptions()),
  ],
  gru: [
    ...cellSamples(GRU_AFTER, gruAttributes(true, false), everyThird),
    ...activationPairs(GRU_AFTER, gruAttributes(true, false)),
    ...cellSamples(GRU_AFTER, gruAttributes(true, false), sizeOptions()),
    ...cellSamples(GRU_AFTER, gruAttributes(true, true), cellOptions),
    ...cellSamples(GRU_BEFORE, gruAttributes(false, true), cellOptions),
    ...cellSamples(GRU_BEFORE, gruAttributes(false, false), cellOptions),
    ...activationPairs(GRU_BEFORE, gruAttributes(false, false)),
    ...cellSamples(GRU_BEFORE, gruAttributes(false, false), sizeOptions()),
  ],
} satisfies Partial<Samples>;
