/** Cases for the kernels of conditional random fields. The samples of the op `crfLogLoss` cover special scores. */
import type { CrfCall } from '@unroll/core/internal';
import { type Arrays, type Blocks, differentialCase, draw, type Trial } from './differential.js';

/**
 * Sizes [B, T, K]: sequences, steps, tags. K is around the vector length, B around the number of parts into which the kernels
 * split a batch; one size is large enough for threads.
 */
// biome-ignore format: a list
const SHAPES = [[1, 1, 1], [2, 3, 4], [3, 5, 8], [5, 4, 9], [2, 3, 17], [17, 2, 5], [33, 50, 20], [1, 40, 33], [0, 2, 3]] as const;

interface Shape {
  B: number;
  T: number;
  K: number;
}

function arraysOf({ B, T, K }: Shape, masked: boolean): Arrays {
  const steps = draw.integers(B * T, 'crf steps');
  return {
    emissions: draw.normal(B * T * K, 'emissions'),
    transitions: draw.normal(K * K, 'transitions'),
    start: draw.normal(K, 'start'),
    end: draw.normal(K, 'end'),
    tags: steps.map((x) => (x + 4) % K),
    ...(masked && { mask: steps.map((x) => (x < -2 ? 0 : 1)) }),
  };
}

const callOf = (shape: Shape, blocks: Blocks): CrfCall => ({
  ...shape,
  emissions: blocks.emissions,
  transitions: blocks.transitions,
  start: blocks.start,
  end: blocks.end,
  tags: blocks.tags,
  mask: blocks.mask ?? null,
});

const trialsOf = (trial: (shape: Shape, masked: boolean) => Omit<Trial, 'name'>): Trial[] =>
  SHAPES.flatMap(([B, T, K]) =>
    [false, true].map((masked) => ({
      name: `[${B}, ${T}, ${K}]${masked ? ', masked' : ''}`,
      ...trial({ B, T, K }, masked),
    })),
  );

export const crfKernelCases = {
  crfForward: [
    differentialCase('crfForward', 'sizes', () =>
      trialsOf((shape, masked) => ({
        arrays: { ...arraysOf(shape, masked), losses: draw.nan(shape.B) },
        call: (kernels, blocks) => kernels.crfForward({ ...callOf(shape, blocks), losses: blocks.losses }),
      })),
    ),
  ],
  crfBackward: [
    differentialCase('crfBackward', 'sizes', () =>
      trialsOf((shape, masked) => ({
        arrays: {
          ...arraysOf(shape, masked),
          g: draw.normal(shape.B, 'crf g'),
          dEmissions: draw.nan(shape.B * shape.T * shape.K),
          dTransitions: draw.nan(shape.K * shape.K),
          dStart: draw.nan(shape.K),
          dEnd: draw.nan(shape.K),
        },
        call: (kernels, blocks) =>
          kernels.crfBackward({
            ...callOf(shape, blocks),
            g: blocks.g,
            dEmissions: blocks.dEmissions,
            dTransitions: blocks.dTransitions,
            dStart: blocks.dStart,
            dEnd: blocks.dEnd,
          }),
      })),
    ),
  ],
};
