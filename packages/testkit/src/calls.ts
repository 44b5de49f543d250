/** Calling an op forward and backward by hand, without a tape: so that one op is tested and no other. */
import type { Backend, Tensor } from '@unroll/core';
import { currentBackend, scope } from '@unroll/core';
import {
  type AnyOp,
  apply,
  hostTensor,
  type Inputs,
  inputGradients,
  type Outputs,
  openScope,
  recording,
  runtime,
} from '@unroll/core/internal';
import type { Drawn } from './draw.js';

/** Runs `work` with `backend` computing until it is done, and puts the one before back. */
export function onBackend<T>(backend: Backend, work: () => T): T {
  const before = runtime.backend;
  const putBack = (): void => void (runtime.backend = before);
  runtime.backend = backend;
  let result: T;
  try {
    result = work();
  } catch (error) {
    putBack();
    throw error;
  }
  if (result instanceof Promise) return result.finally(putBack) as T;
  putBack();
  return result;
}

export type Values = Float32Array | Float64Array;

/** A tensor of the drawn values in the precision of the backend that computes. */
export function tensorOf({ shape, values }: Drawn): Tensor {
  return hostTensor(currentBackend().float.from(values), shape);
}

/** The outputs of an op, as values; no gradient is prepared. */
export function outputsOf(op: AnyOp, inputs: readonly (Drawn | null)[], attrs: unknown): Values[] {
  return scope(() => {
    const tensors = inputs.map((input) => input && tensorOf(input));
    return apply(op, tensors, attrs).map((output) => output.dataSync());
  });
}

interface Recorded {
  outputs: Outputs;
  saved: unknown;
}

/**
 * Applies an op as if a gradient of every input were wanted, and gives what backward needs. In an open scope.
 */
function applySaving(op: AnyOp, inputs: Inputs, attrs: unknown): Recorded {
  let recorded: Recorded | null = null;
  const before = recording.current;
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
    recording.current = before;
  }
}

export interface Gradients {
  outputs: Values[];
  shapes: (readonly number[])[];
  /** Per input: its gradient, or null where backward gives none. */
  gradients: ({ shape: readonly number[]; values: Values } | null)[];
}

/**
 * Forward and backward of one op.
 * @param upstream per output: the gradient that comes in, null where nothing depends on it
 * @param needs which gradients to ask for; by default those of all inputs there are
 */
export function gradientsOf(
  op: AnyOp,
  inputs: readonly (Drawn | null)[],
  attrs: unknown,
  upstream: (shapes: readonly (readonly number[])[]) => (Drawn | null)[],
  needs: readonly boolean[] = inputs.map((input) => input !== null),
): Gradients {
  return scope(() => {
    const tensors = inputs.map((input) => input && tensorOf(input));
    const { outputs, saved } = applySaving(op, tensors, attrs);
    const { kernels } = openScope().backend;
    const shapes = outputs.map((output) => output.shape);
    const grads = upstream(shapes).map((grad) => grad && tensorOf(grad));
    const found = inputGradients(op, { inputs: tensors, attrs, outputs, saved, grads, needs, kernels });
    return {
      outputs: outputs.map((output) => output.dataSync()),
      shapes,
      gradients: inputs.map((_, i) => {
        const grad = found[i];
        return needs[i] && grad ? { shape: grad.shape, values: grad.dataSync() } : null;
      }),
    };
  });
}
