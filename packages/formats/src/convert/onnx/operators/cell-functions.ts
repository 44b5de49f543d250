/** Reads the activations of recurrent nodes. */
import type { NodeContext } from '../context.js';

/** An activation with its parameters, as in the options of `generalLstm`. */
export interface CellFunction {
  name: string;
  alpha?: number;
  beta?: number;
}

interface OnnxFunction {
  name: string;
  /** Default value of the parameter; undefined if the function does not have the parameter. */
  alpha?: number;
  beta?: number;
}

/** The activations by ONNX's name in lower case. */
const FUNCTIONS: Readonly<Record<string, OnnxFunction>> = {
  affine: { name: 'linear', alpha: 1, beta: 0 },
  elu: { name: 'elu', alpha: 1 },
  hardsigmoid: { name: 'hardSigmoid', alpha: 0.2, beta: 0.5 },
  leakyrelu: { name: 'leakyRelu', alpha: 0.01 },
  relu: { name: 'relu' },
  scaledtanh: { name: 'scaledTanh', alpha: 1, beta: 1 },
  sigmoid: { name: 'sigmoid' },
  softplus: { name: 'softplus' },
  softsign: { name: 'softsign' },
  tanh: { name: 'tanh' },
  thresholdedrelu: { name: 'thresholdedRelu', alpha: 1 },
};

const DEFAULTS = { RNN: ['Tanh'], LSTM: ['Sigmoid', 'Tanh', 'Tanh'], GRU: ['Sigmoid', 'Tanh'] } as const;

/**
 * Returns the activations of each direction. The values of activation_alpha go, in order, to the activations that have a
 * parameter alpha; the same applies to activation_beta.
 */
export function cellFunctions(
  context: NodeContext,
  kind: keyof typeof DEFAULTS,
  directions: number,
): CellFunction[][] {
  const defaults = DEFAULTS[kind];
  const names = context.texts('activations', Array.from({ length: directions }, () => defaults).flat());
  const alphas = [...context.numbers('activation_alpha', [])];
  const betas = [...context.numbers('activation_beta', [])];
  if (names.length !== defaults.length * directions)
    throw context.error(`activations must have ${defaults.length * directions} names, got ${names.length}`);
  const functions = names.map((onnxName): CellFunction => {
    const key = onnxName.toLowerCase();
    if (!Object.hasOwn(FUNCTIONS, key)) throw context.error(`there is no activation "${onnxName}"`);
    const { name, alpha, beta } = FUNCTIONS[key];
    return {
      name,
      ...(alpha !== undefined && { alpha: alphas.shift() ?? alpha }),
      ...(beta !== undefined && { beta: betas.shift() ?? beta }),
    };
  });
  return Array.from({ length: directions }, (_, d) =>
    functions.slice(d * defaults.length, (d + 1) * defaults.length),
  );
}

/** Returns the name of Unroll's activation that computes the same without parameters; null if there is none. */
export function namedFunction({ name, alpha, beta }: CellFunction): string | null {
  if (alpha === undefined) return name;
  if (name === 'linear') return alpha === 1 && beta === 0 ? 'linear' : null;
  if (name === 'elu') return alpha === 1 ? 'elu' : null;
  if (name === 'hardSigmoid') return beta === 0.5 && Math.abs(alpha - 1 / 6) < 1e-7 ? 'hardSigmoid' : null;
  return null;
}
