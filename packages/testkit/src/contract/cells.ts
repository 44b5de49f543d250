/** Cases for layer normalisation and the gates of an LSTM step: combinations of null arguments, and sizes that use threads. */
import type { ActivationName, KernelName } from '@unroll/core/internal';
import { gradientTolerance, outputTolerance } from '../compare.js';
import type { ContractCase } from './case.js';
import { differentialCase, draw, type Trial } from './differential.js';

const FLAGS = [false, true];
/** Shapes [rows, n] of x; each row is normalised. */
// biome-ignore format: a list
const ROWS = [[1, 1], [3, 5], [2, 16], [4, 67], [700, 1031]] as const;

function layerNormTrials(): Trial[] {
  return ROWS.flatMap(([rows, n]) =>
    FLAGS.flatMap((affine) =>
      FLAGS.map(
        (saving): Trial => ({
          name: `[${rows}, ${n}]${affine ? ', gamma and beta' : ''}${saving ? ', statistics' : ''}`,
          arrays: {
            x: draw.normal(rows * n, 'x'),
            ...(affine && { gamma: draw.normal(n, 'gamma'), beta: draw.normal(n, 'beta') }),
            y: draw.nan(rows * n),
            ...(saving && { statistics: draw.nan(2 * rows) }),
          },
          call: (kernels, { x, y, gamma = null, beta = null, statistics = null }) =>
            kernels.layerNorm({ rows, n, epsilon: 1e-3, x, gamma, beta, y, statistics }),
        }),
      ),
    ),
  );
}

/** Returns trials whose `statistics` are random numbers: the kernel does not check that they are the statistics of x. */
function layerNormBackwardTrials(): Trial[] {
  return ROWS.flatMap(([rows, n]) =>
    FLAGS.flatMap((scaled) =>
      // One bit for each of dx, dgamma and dbeta.
      [0b111, 0b100, 0b011].map(
        (wanted): Trial => ({
          name: `[${rows}, ${n}]${scaled ? ', gamma' : ''}, gradients ${wanted.toString(2)}`,
          arrays: {
            x: draw.normal(rows * n, 'x'),
            ...(scaled && { gamma: draw.normal(n, 'gamma') }),
            statistics: draw.normal(2 * rows, 'statistics'),
            dy: draw.normal(rows * n, 'dy'),
            ...(wanted & 0b100 && { dx: draw.nan(rows * n) }),
            ...(wanted & 0b010 && { dgamma: draw.nan(n) }),
            ...(wanted & 0b001 && { dbeta: draw.nan(n) }),
          },
          call: (kernels, { x, gamma = null, statistics, dy, dx = null, dgamma = null, dbeta = null }) =>
            kernels.layerNormBackward({ rows, n, x, gamma, statistics, dy, dx, dgamma, dbeta }),
        }),
      ),
    ),
  );
}

/** Shapes [B, H] of the states: batch rows and hidden units. */
// biome-ignore format: a list
const STATES = [[1, 1], [3, 5], [2, 16], [4, 67], [40, 900]] as const;
const ACTIVATIONS: readonly (readonly [ActivationName, ActivationName])[] = [
  ['tanh', 'sigmoid'],
  ['relu', 'hardSigmoid'],
];

function gatesTrials(): Trial[] {
  return STATES.flatMap(([B, H]) =>
    ACTIVATIONS.flatMap(([activation, recurrentActivation]) =>
      FLAGS.map(
        (saving): Trial => ({
          name: `[${B}, ${H}], ${activation}${saving ? ', gates' : ''}`,
          arrays: {
            a: draw.normal(4 * B * H, 'sums'),
            before: draw.normal(B * H, 'before'),
            after: draw.nan(B * H),
            o: draw.nan(B * H),
            ...(saving && { gates: draw.nan(3 * B * H) }),
          },
          call: (kernels, { a, before, after, o, gates = null }) =>
            kernels.lstmGates({ B, H, activation, recurrentActivation, a, before, after, o, gates }),
        }),
      ),
    ),
  );
}

function gatesBackwardTrials(): Trial[] {
  return STATES.flatMap(([B, H]) =>
    ACTIVATIONS.flatMap(([activation, recurrentActivation]) =>
      // The upstream gradients that are given: of the new cell state (dAfter), of the output gate (dO), or both.
      ['both', 'dAfter', 'dO'].map(
        (given): Trial => ({
          name: `[${B}, ${H}], ${activation}, ${given}`,
          arrays: {
            before: draw.normal(B * H, 'before'),
            gates: draw.normal(3 * B * H, 'gates'),
            o: draw.normal(B * H, 'o'),
            ...(given !== 'dO' && { dAfter: draw.normal(B * H, 'dAfter') }),
            ...(given !== 'dAfter' && { dO: draw.normal(B * H, 'dO') }),
            da: draw.nan(4 * B * H),
            dBefore: draw.nan(B * H),
          },
          call: (kernels, { before, gates, o, dAfter = null, dO = null, da, dBefore }) =>
            kernels.lstmGatesBackward({
              ...{ B, H, activation, recurrentActivation },
              ...{ before, gates, o, dAfter, dO, da, dBefore },
            }),
        }),
      ),
    ),
  );
}

const cases = (
  name: KernelName,
  trials: () => Trial[],
  tolerance: typeof outputTolerance,
): ContractCase[] => [differentialCase(name, 'sizes and options', trials, tolerance)];

export const cellCases = {
  layerNorm: cases('layerNorm', layerNormTrials, outputTolerance),
  layerNormBackward: cases('layerNormBackward', layerNormBackwardTrials, gradientTolerance),
  lstmGates: cases('lstmGates', gatesTrials, outputTolerance),
  lstmGatesBackward: cases('lstmGatesBackward', gatesBackwardTrials, gradientTolerance),
} satisfies Partial<Record<KernelName, readonly ContractCase[]>>;
