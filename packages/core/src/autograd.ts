/**
 * Reverse-mode differentiation. A tape records every op applied to something it tracks; `gradients` walks it backwards
 * and adds up. First order only: the gradient's own computation is not recorded.
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

  /** Tracks trainable parameters, the tensors given, and what is made of them. */
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

  /** Runs `work` with this tape recording. */
  recordDuring<T>(work: () => T): T {
    if (recording.current !== null) {
      throw new UnrollError(
        'gradient',
        'A gradient was asked for inside the function whose gradient is being taken. Gradients are first order: ' +
          'compute the inner one before, and pass its value in.',
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
   * Gradients of the scalar `loss` for everything tracked that it depends on. `seed` scales them (a loss weight).
   * To be called in the scope that recorded.
   */
  gradients(loss: Tensor, seed = 1): Map<Tensor, Tensor> {
    if (loss.size !== 1) {
      throw new UnrollError(
        'gradient',
        `A gradient is taken of one number, but the loss has shape ${formatShape(loss.shape)}. Take its sum or mean.`,
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

/** The sum of two gradients of one tensor; of rows that were looked up in it, while there is nothing else. */
function total(before: Tensor, grad: Tensor): Tensor {
  const rows = before instanceof RowGradient && grad instanceof RowGradient;
  return rows ? new RowGradient(grad.shape, [...before.lookups, ...grad.lookups]) : add(before, grad);
}

/**
 * The gradients of an op's inputs, each in the shape of its input: an op whose inputs are broadcast may give them in the
 * broadcast shape, and they are summed back here.
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
      `${op.name}: backward gave a gradient of shape ${formatShape(grad.shape)} for input ${i} of shape ` +
        `${formatShape(shape)}. It must have that shape, or one that the input was broadcast to.`,
      { op: op.name, input: i, got: grad.shape, expected: shape },
    );
  });
}

/**
 * The value of a function and its gradients.
 * @param work returns a scalar tensor; may be any composition of ops
 * @param of the tensors or parameters to differentiate by
 * @returns the value, and one gradient per entry of `of` with its shape (zeros where the value does not depend on it)
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

/** Treats `x` as a constant: no gradient flows through it. */
export function stopGradient(x: Tensor): Tensor {
  return apply1(stopGradientOp, [x], NONE);
}
