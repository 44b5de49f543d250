/** Samples of the ops that cells without a fused kernel use in each step. */
import { formatShape, type Shape } from '@unroll/core';
import type { ActivationName } from '@unroll/core/internal';
import { awayFrom, normal } from '../draw.js';
import { ABSENT, type SampleFor, type Samples } from './sample.js';

function normalization(
  shape: Shape,
  scale: boolean,
  center: boolean,
  epsilon = 1e-5,
): SampleFor<'layerNorm'> {
  const width = shape.slice(-1);
  const name = `${formatShape(shape)}${scale ? ', gamma' : ''}${center ? ', beta' : ''}, epsilon ${epsilon}`;
  return {
    name,
    inputs: [normal(shape), scale ? normal(width) : null, center ? normal(width) : null],
    attrs: { epsilon },
    gradients: [true, scale ? true : ABSENT, center ? true : ABSENT],
  };
}

/** Returns a sample whose pre-activations are not near the kinks of relu and hardSigmoid, where there is no derivative. */
function gates(
  [B, H]: readonly [number, number],
  activation: ActivationName = 'tanh',
  recurrentActivation: ActivationName = 'sigmoid',
): SampleFor<'lstmGates'> {
  return {
    name: `[${B}, ${H}], ${activation}, ${recurrentActivation}`,
    inputs: [awayFrom([-3, 0, 3], [B, 4 * H]), normal([B, H])],
    attrs: { activation, recurrentActivation },
    gradients: [true, true],
  };
}

export const cellSamples = {
  layerNorm: [
    normalization([17], true, true),
    normalization([3, 5], false, false, 1e-3),
    normalization([2, 3, 33], true, false),
    normalization([4, 70], false, true),
    normalization([3, 128], true, true),
    normalization([0, 3], true, true),
  ],
  lstmGates: [
    gates([1, 1]),
    gates([3, 17]),
    gates([2, 64]),
    gates([3, 5], 'relu', 'hardSigmoid'),
    gates([2, 20], 'linear', 'tanh'),
    gates([0, 3]),
  ],
} satisfies Partial<Samples>;
