/** Activations by Keras's names in camelCase. The first five also run inside the fused cells. */
import type { ActivationName, Tensor } from '@unroll/core';
import { hardSigmoid, relu, sigmoid, softmax, tanh, valueError } from '@unroll/core';

const activations = {
  tanh,
  sigmoid,
  relu,
  hardSigmoid,
  linear: (x: Tensor): Tensor => x,
  softmax,
} satisfies Record<string, (x: Tensor) => Tensor>;

export type Activation = keyof typeof activations;

/** The function of that name. @throws UnrollError `value` that lists the names there are */
export function activation(name: Activation): (x: Tensor) => Tensor {
  const found = activations[name];
  if (found === undefined) {
    const names = Object.keys(activations).join(', ');
    throw valueError(`There is no activation "${name}". Choose one of ${names}.`, { name });
  }
  return found as (x: Tensor) => Tensor;
}

const FUSED: readonly string[] = [
  'tanh',
  'sigmoid',
  'relu',
  'hardSigmoid',
  'linear',
] satisfies ActivationName[];

/** Whether the fused kernels know the activation. */
export function isFused(name: Activation): name is ActivationName {
  return FUSED.includes(name);
}
