/**
 * The activations that Keras 3 accepts by name, in camelCase and with Keras's default slopes and thresholds. (`threshold`
 * is missing, because it has no defaults.) Each is composed of differentiable ops. The fused kernels implement the five in
 * FUSED.
 */
import {
  type ActivationName,
  abs,
  add,
  div,
  erf,
  exp,
  greater,
  hardSigmoid,
  logSoftmax,
  maximum,
  minimum,
  mul,
  neg,
  relu,
  reshape,
  sigmoid,
  slice,
  softmax,
  softplus,
  sqrt,
  square,
  sub,
  sum,
  type Tensor,
  tanh,
  valueError,
} from '@unroll/core';

// Klambauer et al. 2017, "Self-normalizing neural networks"
const SELU_ALPHA = 1.6732632423543772;
const SELU_SCALE = 1.0507009873554805;

/** max(x, 0) + alpha (e^min(x, 0) - 1) */
const eluWith = (x: Tensor, alpha: number): Tensor => add(relu(x), mul(sub(exp(minimum(x, 0)), 1), alpha));
/** Equals celu, because alpha is 1. */
const elu = (x: Tensor): Tensor => eluWith(x, 1);
/** x σ(x) */
const silu = (x: Tensor): Tensor => mul(x, sigmoid(x));
const hardSilu = (x: Tensor): Tensor => mul(x, hardSigmoid(x));
/** clip(x, -1, 1) */
const hardTanh = (x: Tensor): Tensor => minimum(maximum(x, -1), 1);
/** clip((x + 1)/2, 0, 1) */
const sparseSigmoid = (x: Tensor): Tensor => mul(add(hardTanh(x), 1), 0.5);

const activations = {
  tanh,
  sigmoid,
  relu,
  /** clip(x/6 + 1/2, 0, 1); Keras 2 used clip(0.2 x + 1/2, 0, 1) */
  hardSigmoid,
  linear: (x: Tensor): Tensor => x,
  softmax,
  logSoftmax,
  softplus,
  /** x / (1 + |x|) */
  softsign: (x: Tensor): Tensor => div(x, add(abs(x), 1)),
  elu,
  celu: elu,
  selu: (x: Tensor): Tensor => mul(eluWith(x, SELU_ALPHA), SELU_SCALE),
  exponential: (x: Tensor): Tensor => exp(x),
  /** x Φ(x), computed with the error function (Keras's default), not with the tanh approximation */
  gelu: (x: Tensor): Tensor => mul(mul(x, 0.5), add(erf(mul(x, Math.SQRT1_2)), 1)),
  silu,
  swish: silu,
  hardSilu,
  hardSwish: hardSilu,
  /** x if x >= 0, else 0.2 x */
  leakyRelu: (x: Tensor): Tensor => add(mul(relu(x), 0.8), mul(x, 0.2)),
  relu6: (x: Tensor): Tensor => minimum(relu(x), 6),
  mish: (x: Tensor): Tensor => mul(x, tanh(softplus(x))),
  hardTanh,
  tanhShrink: (x: Tensor): Tensor => sub(x, tanh(x)),
  /** x if |x| > 0.5, else 0 */
  hardShrink: (x: Tensor): Tensor => mul(x, greater(abs(x), 0.5)),
  /** x moved towards 0 by 0.5; 0 if |x| <= 0.5 */
  softShrink: (x: Tensor): Tensor => sub(relu(sub(x, 0.5)), relu(sub(neg(x), 0.5))),
  logSigmoid: (x: Tensor): Tensor => neg(softplus(neg(x))),
  /** (x + √(x² + 4)) / 2 */
  squareplus: (x: Tensor): Tensor => mul(add(x, sqrt(add(square(x), 4))), 0.5),
  /** 0 below -1, x above 1, (x + 1)²/4 between */
  sparsePlus: (x: Tensor): Tensor => add(square(sparseSigmoid(x)), relu(sub(x, 1))),
  sparseSigmoid,
  sparsemax,
  glu,
} satisfies Record<string, ActivationFunction>;

export type ActivationFunction = (x: Tensor) => Tensor;

/** The name of an activation, or a custom function that preserves the shape (see `registerActivation`). */
export type Activation = keyof typeof activations | ActivationFunction;

/** @internal Custom activations by name, added by `registerActivation`. */
export const customActivations = new Map<string, ActivationFunction>();

/**
 * Returns the function of an activation.
 * @param owner label of the layer, for the error
 * @throws UnrollError `value` for an unknown name; the message lists the built-in names
 */
export function activation(name: Activation, owner = ''): ActivationFunction {
  if (typeof name === 'function') return name;
  const found = Object.hasOwn(activations, name) ? activations[name] : customActivations.get(name);
  if (found) return found;
  const names = Object.keys(activations).join(', ');
  throw valueError(
    `${owner && `${owner}: `}there is no activation "${name}". Choose one of ${names}, or register your own.`,
    {
      owner,
      name,
    },
  );
}

/** Returns the size of the last axis after an activation: `glu` halves `width`, all others preserve it. */
export function activatedWidth(name: Activation, width: number): number {
  if (name !== 'glu' || width < 0) return width;
  if (width % 2 !== 0) throw valueError(`glu needs a last axis of even size, got ${width}.`, { width });
  return width / 2;
}

const FUSED: readonly unknown[] = [
  'tanh',
  'sigmoid',
  'relu',
  'hardSigmoid',
  'linear',
] satisfies ActivationName[];

/** Returns true if the fused kernels implement the activation. */
export function isFused(name: Activation): name is ActivationName & Activation {
  return FUSED.includes(name);
}

/** Gated linear unit: a σ(b), where a and b are the two halves of the last axis (Dauphin et al. 2017). */
function glu(x: Tensor): Tensor {
  const half = activatedWidth('glu', x.shape.at(-1) ?? 0);
  return mul(slice(x, -1, 0, half), sigmoid(slice(x, -1, half)));
}

/**
 * Projects x onto the probability simplex, along the last axis (Martins & Astudillo 2016). An element x_i belongs to
 * the support if Σ_j max(x_j - x_i, 0) < 1. This is equivalent to the paper's condition, but needs no sorting.
 */
function sparsemax(x: Tensor): Tensor {
  const n = x.shape[x.rank - 1];
  const leading = x.shape.slice(0, -1);
  const excess = relu(sub(reshape(x, [...leading, 1, n]), reshape(x, [...leading, n, 1])));
  const support = greater(1, sum(excess, -1));
  const threshold = div(sub(sum(mul(x, support), -1, true), 1), sum(support, -1, true));
  return relu(sub(x, threshold));
}
