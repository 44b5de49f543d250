/** Runs the forward and backward pass of a single op without a tape, so that a test covers only this op. */
import type { Backend, Tensor } from '@unroll/core';
import { currentBackend, scope } from '@unroll/core';
import {
  type AnyOp,
  apply,
  currentScope,
  hostTensor,
  type Inputs,
  inputGradients,
  type Outputs,
  recording,
  runtime,
} from '@unroll/core/internal';
import type { DrawnTensor } from './draw.js';

/**
 * Runs `work` with `backend` as the current backend, then restores the previous backend. If `work` returns a promise, this
 * happens when the promise resolves or rejects.
 */
export function onBackend<T>(backend: Backend, work: () => T): T {
  const previous = runtime.backend;
  const restore = (): void => void (runtime.backend = previous);
  runtime.backend = backend;
  let result: T;
  try {
    result = work();
  } catch (error) {
    restore();
    throw error;
  }
  if (result instanceof Promise) return result.finally(restore) as T;
  restore();
  return result;
}

export type Values = Float32Array | Float64Array;

/** Returns a tensor with the drawn values, in the precision of the current backend. */
export function tensorOf({ shape, values }: DrawnTensor): Tensor {
  return hostTensor(currentBackend().float.from(values), shape);
}

/** Returns the output values of an op, computed without saving anything for the backward pass. */
export function outputsOf(op: AnyOp, inputs: readonly (DrawnTensor | null)[], attrs: unknown): Values[] {
  return scope(() => {
    const tensors = inputs.map((input) => input && tensorOf(input));
    return apply(op, tensors, attrs).map((output) => output.dataSync());
  });
}

interface ForwardResult {
  outputs: Outputs;
  /** The values that forward saves for backward. */
  saved: unknown;
}

/** Applies an op as if every input required a gradient. Needs an open scope. */
function applySaving(op: AnyOp, inputs: Inputs, attrs: unknown): ForwardResult {
  let recorded: ForwardResult | null = null;
  const previous = recording.current;
  recording.current = {
    tracks: () => true,
    record: (_op, _inputs, _attrs, outputs, saved) => {
      recorded = { outputs, saved };
    },
  };
  try {
    const outputs = apply(op, inputs, attrs);
    return recorded ?? { outputs, saved: null };
  } finally {
    recording.current = previous;
  }
}

export interface Gradients {
  outputs: Values[];
  /** Shapes of the outputs. */
  shapes: (readonly number[])[];
  /** The gradient of each input. Null if it was not requested, or backward returns none. */
  gradients: ({ shape: readonly number[]; values: Values } | null)[];
}

/**
 * Runs the forward and backward pass of one op.
 * @param upstream returns the upstream gradient of each output, given the shapes of all outputs; null for an output without one
 * @param needs for each input, whether to request its gradient. Default: for all inputs that are not null
 */
export function gradientsOf(
  op: AnyOp,
  inputs: readonly (DrawnTensor | null)[],
  attrs: unknown,
  upstream: (shapes: readonly (readonly number[])[]) => (DrawnTensor | null)[],
  needs: readonly boolean[] = inputs.map((input) => input !== null),
): Gradients {
  return scope(() => {
    const tensors = inputs.map((input) => input && tensorOf(input));
    const { outputs, saved } = applySaving(op, tensors, attrs);
    const { kernels } = currentScope().backend;
    const shapes = outputs.map((output) => output.shape);
    const grads = upstream(shapes).map((grad) => grad && tensorOf(grad));
    const inputGrads = inputGradients(op, { inputs: tensors, attrs, outputs, saved, grads, needs, kernels });
    return {
      outputs: outputs.map((output) => output.dataSync()),
      shapes,
      gradients: inputs.map((_, i) => {
        const grad = inputGrads[i];
        return needs[i] && grad ? { shape: grad.shape, values: grad.dataSync() } : null;
      }),
    };
  });
}
