/**
 * Reverse-mode differentiation. A tape records every op on tracked tensors; `gradients` walks it backwards and
 * accumulates gradients. First order only: the computation of a gradient is not recorded.
 */
import { formatShape, UnrollError } from './errors.js';
import {
  type AnyOp,
  apply1,
  type BackwardCall,
  type Gradients,
  type Inputs,
  NONE,
  type NoAttributes,
  type Op,
  type Outputs,
  type Recorder,
  recording,
} from './op.js';
import { add } from './ops/elementwise.js';
import { sumTo } from './ops/reduce.js';
import { Parameter } from './parameter.js';
import { RowGradient } from './row-gradient.js';
import { openScope, runtime } from './runtime.js';
import { scope } from './scope.js';
import { full, type Tensor } from './tensor.js';

interface Node {
  op: AnyOp;
  inputs: Inputs;
  attrs: unknown;
  outputs: Outputs;
  saved: unknown;
}

export class Tape implements Recorder {
  readonly #nodes: Node[] = [];
  readonly #tracked: Set<Tensor>;

  /** Tracks trainable parameters, the given tensors, and everything computed from them. */
  constructor(watched: Iterable<Tensor> = []) {
    this.#tracked = new Set(watched);
  }

  tracks(tensor: Tensor): boolean {
    return this.#tracked.has(tensor) || (tensor instanceof Parameter && tensor.trainable);
  }

  record(op: AnyOp, inputs: Inputs, attrs: unknown, outputs: Outputs, saved: unknown): void {
    for (const output of outputs) this.#tracked.add(output);
    this.#nodes.push({ op, inputs, attrs, outputs, saved });
  }

  /** Runs `work` while this tape records. */
  recordDuring<T>(work: () => T): T {
    if (recording.current !== null) {
      throw new UnrollError(
        'gradient',
        'Gradients cannot be nested: the function to differentiate asks for a gradient itself. Only first-order gradients are supported: ' +
          'compute the inner gradient before, and pass its value in.',
      );
    }
    const open = runtime.scope;
    recording.current = this;
    if (open) open.recording = true;
    try {
      return work();
    } finally {
      recording.current = null;
      if (open) open.recording = false;
    }
  }

  /**
   * Gradients of the scalar `loss` for all tracked tensors that it depends on. `seed` scales them (a loss weight).
   * Must be called in the scope in which the tape recorded.
   */
  gradients(loss: Tensor, seed = 1): Map<Tensor, Tensor> {
    if (loss.size !== 1) {
      throw new UnrollError(
        'gradient',
        `The loss must be a single number to take its gradient, got shape ${formatShape(loss.shape)}. Take its sum or mean.`,
        { shape: loss.shape },
      );
    }
    const grads = new Map<Tensor, Tensor>([[loss, full(loss.shape, seed)]]);
    const { kernels } = openScope().backend;
    for (let n = this.#nodes.length - 1; n >= 0; n--) {
      const { op, inputs, attrs, outputs, saved } = this.#nodes[n];
      const incoming = outputs.map((output) => grads.get(output) ?? null);
      if (incoming.every((grad) => grad === null)) continue;
      const needs = inputs.map((input) => input !== null && this.tracks(input));
      const found = inputGradients(op, { inputs, attrs, outputs, saved, grads: incoming, needs, kernels });
      for (const output of outputs) grads.delete(output);
      inputs.forEach((input, i) => {
        const grad = found[i];
        if (!input || !needs[i] || !grad) return;
        const before = grads.get(input);
        grads.set(input, before ? total(before, grad) : grad);
      });
    }
    return grads;
  }
}

runtime.rowGradient = (table, lookup) => new RowGradient(table, [lookup]);

/** The sum of two gradients of one tensor. Row gradients of lookups stay sparse as long as both are sparse. */
function total(before: Tensor, grad: Tensor): Tensor {
  const rows = before instanceof RowGradient && grad instanceof RowGradient;
  return rows ? new RowGradient(grad.shape, [...before.lookups, ...grad.lookups]) : add(before, grad);
}

/**
 * The gradients of an op's inputs, each in the shape of its input. An op may return the gradient of a broadcast input
 * in the broadcast shape; this function sums it to the input's shape.
 */
export function inputGradients(op: AnyOp, call: BackwardCall<unknown, Inputs, Outputs>): Gradients<Inputs> {
  return op.backward(call).map((grad, i) => {
    const input = call.inputs[i];
    if (grad === null || !input || !call.needs[i]) return null;
    const { shape } = input;
    const lead = grad.rank - shape.length;
    if (lead >= 0 && shape.every((extent, d) => extent === 1 || extent === grad.shape[lead + d])) {
      return sumTo(grad, shape);
    }
    throw new UnrollError(
      'gradient',
      `${op.name}: the gradient of input ${i} must have its shape ${formatShape(shape)}, or one that it was broadcast to, got ` +
        `${formatShape(grad.shape)}.`,
      { op: op.name, input: i, got: grad.shape, expected: shape },
    );
  });
}

/**
 * Computes the value of a function and its gradients.
 * @param work returns a scalar tensor; may be any composition of ops
 * @param of the tensors or parameters to differentiate with respect to
 * @returns the value, and one gradient for each entry of `of` in its shape (zeros if the value does not depend on it)
 */
export function valueAndGrad(work: () => Tensor, of: readonly Tensor[]): { value: Tensor; grads: Tensor[] } {
  return scope(() => {
    const tape = new Tape(of);
    const value = tape.recordDuring(work);
    const grads = tape.gradients(value);
    return { value, grads: of.map((tensor) => grads.get(tensor) ?? full(tensor.shape, 0)) };
  });
}

/** The identity whose gradient is zero. */
const stopGradientOp: Op<NoAttributes, readonly [Tensor]> = {
  name: 'stopGradient',
  shapes: ([x]) => [x],
  forward({ inputs: [x], outputs: [y], kernels }) {
    kernels.copy(x.block(), 0, [1], y.block(), 0, [1], [x.size]);
  },
  backward: () => [null],
};

/** Treats `x` as a constant: no gradient flows through the result. */
export function stopGradient(x: Tensor): Tensor {
  return apply1(stopGradientOp, [x], NONE);
}
