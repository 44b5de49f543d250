/**
 * Recurrent layers of every kind that has fused kernels, with combinations of their options, and functions that run each as a
 * built-in layer and as a custom cell.
 */
import {
  add,
  hardSigmoid,
  mul,
  Parameter,
  RandomStream,
  relu,
  type Shape,
  sigmoid,
  sum,
  type Tensor,
  tanh,
  tensor,
  valueAndGrad,
} from '@unroll/core';
import type { KernelName } from '@unroll/core/internal';
import { type Cell, gru, lstm, type Recurrent, simpleRNN } from '@unroll/nn';
import { type CustomCellOptions, CustomGru, CustomLstm, CustomRnn, rowByRow } from './custom-cells.js';

const [B, T, I, H] = [3, 4, 2, 3];

type MaskName = 'right' | 'everyRowPadded' | 'left' | 'gaps' | 'oneRowMasked' | 'allMasked';
const MASKS: Record<MaskName, number[][]> = {
  right: [[1, 1, 0, 0], [1, 1, 1, 1], [1, 0, 0, 0]],
  everyRowPadded: [[1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]],
  left: [[0, 0, 1, 1], [1, 1, 1, 1], [0, 1, 1, 1]],
  gaps: [[1, 0, 1, 0], [0, 1, 0, 1], [1, 1, 1, 1]],
  oneRowMasked: [[0, 0, 0, 0], [1, 1, 1, 1], [0, 1, 1, 0]],
  allMasked: [[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]],
}; // biome-ignore format: patterns

/** The activations of the fused kernels as functions, as a user would pass them to a custom cell. */
const FUNCTIONS = { tanh, relu, sigmoid, hardSigmoid, linear: (x: Tensor): Tensor => x };
type FunctionName = keyof typeof FUNCTIONS;
const NAMES = Object.keys(FUNCTIONS) as FunctionName[];

export interface Options {
  returnSequences: boolean;
  goBackwards: boolean;
  /** Whether initial states are passed. */
  states: boolean;
  mask: MaskName | null;
  zeroOutputForMask: boolean;
  /** Whether recurrent dropout is applied, with a fixed mask. */
  recurrentDropout: boolean;
  useBias: boolean;
  activation: FunctionName;
  recurrentActivation: FunctionName;
}

const BOOLEANS = [false, true] as const;
const DEFAULTS: Options = {
  ...{ returnSequences: true, goBackwards: false, states: true, mask: 'gaps', zeroOutputForMask: false },
  ...{ recurrentDropout: true, useBias: true, activation: 'tanh', recurrentActivation: 'sigmoid' },
};

function combinations(): Options[] {
  const masks = [
    { mask: null, zeroOutputForMask: false },
    ...(Object.keys(MASKS) as MaskName[]).flatMap((mask) =>
      BOOLEANS.map((zeroOutputForMask) => ({ mask, zeroOutputForMask })),
    ),
  ];
  return BOOLEANS.flatMap((returnSequences) =>
    BOOLEANS.flatMap((goBackwards) =>
      BOOLEANS.flatMap((states) =>
        BOOLEANS.flatMap((recurrentDropout) =>
          BOOLEANS.flatMap((useBias) =>
            masks.map((masking) => ({
              ...{ ...DEFAULTS, returnSequences, goBackwards, states, recurrentDropout, useBias, ...masking },
            })),
          ),
        ),
      ),
    ),
  );
}

const activationPairs = (): Options[] =>
  NAMES.flatMap((activation) =>
    NAMES.map((recurrentActivation) => ({ ...DEFAULTS, activation, recurrentActivation })),
  );

/** A built-in layer, the custom cell with the same equations, and the combinations of options to test. */
export interface Kind {
  gates: number;
  layer(options: Options): Recurrent;
  customCell(options: CustomCellOptions): Cell;
  kernel: KernelName;
  options: Options[];
}

const settings = (o: Options) => ({
  ...{ units: H, activation: o.activation, useBias: o.useBias, returnState: true },
  ...{
    returnSequences: o.returnSequences,
    goBackwards: o.goBackwards,
    zeroOutputForMask: o.zeroOutputForMask,
  },
});
const gated = (o: Options) => ({ ...settings(o), recurrentActivation: o.recurrentActivation });

function gruKind(resetAfter: boolean, updateGateOnCandidate: boolean, options: Options[]): Kind {
  const updateGate = updateGateOnCandidate ? 'candidate' : 'keep';
  return {
    gates: 3,
    layer: (o) => gru({ ...gated(o), resetAfter, updateGate }),
    customCell: (o) => new CustomGru(o, { resetAfter, updateGateOnCandidate }),
    kernel: 'gruForward',
    options,
  };
}

const someCombinations = combinations().filter((o) => o.useBias && o.returnSequences && o.recurrentDropout);
export const KINDS: Record<string, Kind> = {
  lstm: {
    gates: 4,
    layer: (o) => lstm(gated(o)),
    customCell: (o) => new CustomLstm(o),
    kernel: 'lstmForward',
    options: [...combinations(), ...activationPairs()],
  },
  'plain rnn': {
    gates: 1,
    layer: (o) => simpleRNN(settings(o)),
    customCell: (o) => new CustomRnn(o),
    kernel: 'rnnForward',
    options: [...someCombinations, ...NAMES.map((activation) => ({ ...DEFAULTS, activation }))],
  },
  'gru, reset after': gruKind(true, false, [...someCombinations, ...activationPairs()]),
  'gru, reset before': gruKind(false, false, [...someCombinations, ...activationPairs()]),
  'gru, reset after, update gate on the candidate': gruKind(true, true, someCombinations),
  'gru, reset before, update gate on the candidate': gruKind(false, true, someCombinations),
};

const random = (shape: number[], ...name: string[]): Tensor =>
  tensor(
    new RandomStream(5, ...name).normal(shape.reduce((size, extent) => size * extent, 1)).map(Math.fround),
    shape,
  );

/** Weights that are small enough for cells with linear gates to stay finite. */
const weight = (shape: Shape, index: number): Tensor => mul(random([...shape], 'weight', `${index}`), 0.35);

interface Inputs {
  x: Tensor;
  states: Tensor[];
  mask: Tensor | null;
  recurrentDropoutMask: Tensor | null;
}

function inputsOf(o: Options, stateCount: number): Inputs {
  const dropoutValues = [1.5, 0, 1.5, 1.5, 1.5, 0, 0, 1.5, 1.5];
  return {
    x: random([B, T, I], 'x'),
    states: o.states ? Array.from({ length: stateCount }, (_, i) => random([B, H], 'state', `${i}`)) : [],
    mask: o.mask && tensor(MASKS[o.mask]),
    recurrentDropoutMask: o.recurrentDropout ? tensor(dropoutValues, [B, H]) : null,
  };
}

export interface Numbers {
  outputs: ArrayLike<number>[];
  gradients: ArrayLike<number>[];
}

/** Returns the outputs of `work`, and the gradients of a weighted sum of the outputs. */
function numbersOf(work: () => readonly Tensor[], variables: readonly Tensor[]): Numbers {
  let outputs: ArrayLike<number>[] = [];
  const { grads } = valueAndGrad(() => {
    const found = work();
    outputs = found.map((output) => output.dataSync());
    const terms = found.map((output, k) => sum(mul(output, random([...output.shape], 'weights', `${k}`))));
    return terms.reduce((total, term) => add(total, term));
  }, variables);
  return { outputs, gradients: grads.map((grad) => grad.dataSync()) };
}

/** Builds the layer, sets its weights and runs it. Returns outputs and gradients. */
export function layerNumbers(kind: Kind, o: Options, stepwise: boolean): Numbers {
  const layer = kind.layer(o);
  layer.stepwise = stepwise;
  layer.build([[-1, -1, I]]);
  layer.parameters.forEach((parameter, i) => {
    parameter.assign(weight(parameter.shape, i));
  });
  const names = Object.keys(layer.cell.stateSizes);
  const { x, states, mask, recurrentDropoutMask } = inputsOf(o, names.length);
  const state = states.length ? Object.fromEntries(names.map((name, i) => [name, states[i]!])) : null;
  const work = (): Tensor[] => {
    const { y, state: last } = layer.run(x, state, {
      ...{ returnSequences: o.returnSequences, reverse: o.goBackwards, timeOrder: false },
      ...{ zeroOutputForMask: o.zeroOutputForMask, mask, recurrentDropoutMask: recurrentDropoutMask },
      ...{ constants: {}, prepared: {} },
    });
    return [y, ...names.map((name) => last[name]!)];
  };
  return numbersOf(work, [x, ...states, ...layer.parameters]);
}

/** Returns the same numbers as {@link layerNumbers}, computed with the custom cell, row by row (see custom-cells.ts). */
export function customCellNumbers(kind: Kind, o: Options): Numbers {
  const cell = kind.customCell({
    ...{
      units: H,
      useBias: o.useBias,
      phi: FUNCTIONS[o.activation],
      sigma: FUNCTIONS[o.recurrentActivation],
    },
  });
  const parameters: Parameter[] = [];
  const make = (name: string, shape: Shape): Parameter => {
    const values = weight(shape, parameters.length).dataSync();
    const parameter = new Parameter(name, shape, values);
    parameters.push(parameter);
    return parameter;
  };
  cell.build(I, make, {});
  const names = Object.keys(cell.stateSizes);
  const { x, states, recurrentDropoutMask } = inputsOf(o, names.length);
  const state = states.length ? Object.fromEntries(names.map((name, i) => [name, states[i]!])) : null;
  const work = (): Tensor[] =>
    rowByRow(cell, x, state, {
      ...{ returnSequences: o.returnSequences, reverse: o.goBackwards },
      ...{ zeroOutputForMask: o.zeroOutputForMask, mask: o.mask && MASKS[o.mask] },
      recurrentDropoutMask: recurrentDropoutMask,
    });
  return numbersOf(work, [x, ...states, ...parameters]);
}

export function describeOptions(o: Options): string {
  const words = [
    o.returnSequences ? 'sequences' : 'last',
    o.goBackwards && 'backwards',
    o.states && 'states',
    o.mask && `mask=${o.mask}`,
    o.zeroOutputForMask && 'zeroOutput',
    o.recurrentDropout && 'recurrentDropout',
    !o.useBias && 'noBias',
    `${o.activation}/${o.recurrentActivation}`,
  ];
  return words.filter(Boolean).join(' ');
}
