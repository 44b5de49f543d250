/**
 * Cases of the kernel for connectionist temporal classification. The compiled kernels use two methods: probabilities as doubles
 * that are rescaled at every step, and log probabilities for sequences in which the doubles would underflow, as in some of the
 * cases with extreme logits. In long sequences, the doubles may underflow unless every transition is multiplied by a factor per
 * state that it moves forward (the tilt in packages/kernels/cpp/ctc.cpp).
 */
import { RandomStream } from '@unroll/core';
import type { ContractCase } from './case.js';
import { differentialCase, draw, type Trial } from './differential.js';

interface Problem {
  name: string;
  /** Steps. */
  T: number;
  /** Classes, including the blank. */
  C: number;
  /** The labels of each target. */
  targets: readonly (readonly number[])[];
  /** Default: T for every sequence. */
  lengths?: readonly number[];
  /** Default 0. */
  blank?: number;
  zeroInfinity?: boolean;
  /** Returns the logit of class k at step t of sequence b, given a normally distributed number. Default: twice this number. */
  logit?: (b: number, t: number, k: number, normal: number) => number;
  /** Whether to request the losses without the gradients. Default false. */
  lossOnly?: boolean;
}

function trial(problem: Problem): Trial {
  const { name, T, C, targets, blank = 0, zeroInfinity = false, logit, lossOnly } = problem;
  const B = targets.length;
  const L = Math.max(1, ...targets.map((labels) => labels.length));
  const normal = draw.normal(B * T * C, 'ctc');
  const value = (x: number, i: number): number =>
    logit ? logit(Math.floor(i / (T * C)), Math.floor(i / C) % T, i % C, x) : 2 * x;
  return {
    name: `${name}, ${B} sequences of ${T} steps`,
    arrays: {
      x: normal.map((x, i) => Math.fround(value(x, i))),
      targets: Float64Array.from({ length: B * L }, (_, i) => targets[Math.floor(i / L)][i % L] ?? -1),
      lengths: Float64Array.from(problem.lengths ?? targets.map(() => T)),
      targetLengths: Float64Array.from(targets, (labels) => labels.length),
      losses: draw.nan(B),
      ...(lossOnly ? {} : { dx: draw.nan(B * T * C) }),
    },
    call: (kernels, { x, targets: labels, lengths, targetLengths, losses, dx }) =>
      kernels.ctc({
        ...{ B, T, C, L, blank, zeroInfinity, x, targets: labels, lengths, targetLengths, losses },
        dx: dx ?? null,
      }),
  };
}

/** Returns `count` random labels from 1 to C - 1. */
const someLabels = (count: number, C: number, name = 'labels'): number[] =>
  [...new RandomStream(7, 'ctc', name).uniform(count, 1, C)].map(Math.floor);

function ordinaryTrials(): Trial[] {
  const shapes = [[1, 2, 1], [5, 3, 2], [20, 5, 7], [40, 17, 16], [33, 33, 15], [30, 130, 8]] as const; // biome-ignore format: a list
  const random = shapes.map(([T, C, L]) =>
    trial({ name: `${C} classes`, T, C, targets: [someLabels(L, C), someLabels(Math.min(1, L - 1), C)] }),
  );
  const targets = [[1, 2, 3], [2, 2], [], [3], [1, 2, 1, 2]];
  const ragged = { T: 12, C: 4, targets, lengths: [12, 3, 5, 1, 4] };
  return [
    ...random,
    trial({ name: 'different lengths', ...ragged }),
    trial({ name: 'different lengths, losses only', ...ragged, lossOnly: true }),
    trial({
      name: 'the last class is the blank',
      ...{ T: 12, C: 5, blank: 4, targets: [[0, 1, 3], [2, 2], []] },
    }),
    trial({ name: 'as many labels as steps', T: 9, C: 12, targets: [[1, 2, 3, 4, 5, 6, 7, 8, 9]] }),
    trial({ name: 'repeated labels', T: 7, C: 3, targets: [[1, 1, 1, 1], [1, 1, 2, 2], [2, 1, 1]] }), // biome-ignore format: one line
    trial({ name: 'many sequences', T: 40, C: 20, targets: Array.from({ length: 70 }, (_, b) => someLabels(b % 13, 20, `${b}`)) }), // biome-ignore format: one line
    trial({ name: 'no labels and one class', T: 3, C: 1, targets: [[], []] }),
    trial({ name: 'many classes', T: 6, C: 700, targets: [[1, 699, 300]] }),
    trial({ name: 'a long sequence', T: 2500, C: 12, targets: [someLabels(90, 12)] }),
    trial({
      name: 'a long sequence, all classes equally likely',
      ...{ T: 6000, C: 30, targets: [someLabels(12, 30)], logit: () => 0 },
    }),
  ];
}

function trialsWithoutAlignment(): Trial[] {
  const problem = { T: 4, C: 4, targets: [[1, 1, 1], [1, 2, 3, 1], [1, 2, 3, 2, 1], [], [1], []], lengths: [4, 4, 4, 0, 0, 4] }; // biome-ignore format: one line
  const forbidden = (_b: number, _t: number, k: number, x: number): number =>
    k === 2 ? Number.NEGATIVE_INFINITY : x;
  return [
    trial({ name: 'no alignment', ...problem }),
    trial({ name: 'no alignment, losses replaced by 0', ...problem, zeroInfinity: true }),
    trial({ name: 'a class of probability 0', T: 6, C: 4, targets: [[1, 2], [1, 3]], logit: forbidden }), // biome-ignore format: one line
  ];
}

function extremeTrials(): Trial[] {
  const targets = [[1, 2, 3], [3, 3], [], [2, 1, 2, 1, 2, 1]];
  const scaled = [100, 1e3, 1e4, 1e30].map((scale) =>
    trial({ name: `logits of ${scale}`, T: 20, C: 5, targets, logit: (_b, _t, _k, x) => scale * x }),
  );
  const raised = (size: number, classAt: (t: number) => number) =>
    (_b: number, t: number, k: number, x: number): number => x + (k === classAt(t) ? size : 0); // biome-ignore format: one line
  const T = 150;
  const labels = [someLabels(30, 9), someLabels(140, 9)];
  return [
    ...scaled,
    ...[20, 80, 500, 1e4].flatMap((size) => [
      trial({
        name: `logit of the blank raised by ${size}`,
        T,
        C: 9,
        targets: labels,
        logit: raised(size, () => 0),
      }),
      trial({
        name: `logit of a label raised by ${size}`,
        T,
        C: 9,
        targets: labels,
        logit: raised(size, () => 5),
      }),
      trial({
        name: `logits of changing labels raised by ${size}`,
        T,
        C: 9,
        targets: labels,
        logit: raised(size, (t) => t % 9),
      }),
      trial({
        name: `logit of the blank raised by ${size} at the end`,
        ...{ T, C: 9, targets: labels, logit: raised(size, (t) => (t < T / 2 ? 3 : 0)) },
      }),
    ]),
    trial({ name: 'NaN', T: 6, C: 4, targets: [[1, 2], [1, 3], []], logit: (b, t, k, x) => (b === 1 && t === 3 && k === 2 ? Number.NaN : x) }), // biome-ignore format: one line
    trial({ name: 'infinity', T: 6, C: 4, targets: [[1, 2], [1, 3], []], logit: (b, t, k, x) => (b === 1 && t === 3 && k === 2 ? Number.POSITIVE_INFINITY : x) }), // biome-ignore format: one line
  ];
}

export const ctcCases: { readonly ctc: readonly ContractCase[] } = {
  ctc: [
    differentialCase('ctc', 'lengths, classes and blanks', ordinaryTrials),
    differentialCase('ctc', 'targets without an alignment', trialsWithoutAlignment),
    differentialCase('ctc', 'extreme logits', extremeTrials),
  ],
};
