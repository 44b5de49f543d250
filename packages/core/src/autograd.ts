/**
 * Reverse-mode automatic differentiation. A tape records the ops on tracked tensors; `gradients` goes through them in
 * reverse order and accumulates gradients. Only first-order gradients: gradient computations are not recorded.
 */
import { formatShape, UnrollError } from './errors.js';
import { LazyGradient } from './lazy-gradient.js';
import {
  type AnyOp,
  apply1,
  type BackwardCall,
  type Gradients,
  type Inputs,
  NO_ATTRIBUTES,
  type NoAttributes,
  type Op,
  type Outputs,
  type Recorder,
  recording,
  type WeightGradients,
} from './op.js';
import { add } from './ops/elementwise.js';
import { sumTo } from './ops/reduce.js';
import { Parameter } from './parameter.js';
import { ProductGradient, stepGradients } from './product-gradient.js';
import { RowGradient } from './row-gradient.js';
import { currentScope, runtime } from './runtime.js';
import { scope } from './scope.js';
import { full, type Tensor } from './tensor.js';

/** An applied op. */
interface Node {
  op: AnyOp;
  inputs: Inputs;
  attrs: unknown;
  outputs: Outputs;
  saved: unknown;
}

/** Records ops and computes their gradients. */
export class Tape implements Recorder {
  readonly #nodes: Node[] = [];
  readonly #tracked: Set<Tensor>;

  /** Tracks trainable parameters, the given tensors, and everything computed from them. */
  constructor(watched: Iterable<Tensor> = []) {
    this.#tracked = new Set(watched);
  }

  /** Returns whether the gradient of a tensor can be computed. */
  tracks(tensor: Tensor): boolean {
    return this.#tracked.has(tensor) || (tensor instanceof Parameter && tensor.trainable);
  }

  record(op: AnyOp, inputs: Inputs, attrs: unknown, outputs: Outputs, saved: unknown): void {
    for (const output of outputs) this.#tracked.add(output);
    this.#nodes.push({ op, inputs, attrs, outputs, saved });
  }

  /** Runs `work`, recording its ops, and returns its result. */
  recordDuring<T>(work: () => T): T {
    if (recording.current !== null) {
      throw new UnrollError(
        'gradient',
        'Gradients cannot be nested: the function to differentiate computes a gradient itself. ' +
          'Compute the inner gradient first and pass its value to the function.',
      );
    }
    const scopeState = runtime.scope;
    recording.current = this;
    if (scopeState) scopeState.recording = true;
    try {
      return work();
    } finally {
      recording.current = null;
      if (scopeState) scopeState.recording = false;
    }
  }

  /**
   * Returns the gradients of the scalar `loss` with respect to the tracked tensors on which it depends, except the outputs
   * of recorded ops. Must be called in the scope in which the tape recorded.
   * @param seed a factor for the gradients, such as a loss weight
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
    // Tensors whose gradient is a dense sum. Nothing else reads the sum, so further terms are added in place.
    const summed = new Set<Tensor>();
    const { kernels } = currentScope().backend;
    for (let n = this.#nodes.length - 1; n >= 0; n--) {
      const { op, inputs, attrs, outputs, saved } = this.#nodes[n];
      const outputGrads = outputs.map((output) => denseOrNull(grads.get(output)));
      if (outputGrads.every((grad) => grad === null)) continue;
      const needs = inputs.map((input) => input !== null && this.tracks(input));
      const inputGrads = inputGradients(op, {
        inputs,
        attrs,
        outputs,
        saved,
        grads: outputGrads,
        needs,
        kernels,
      });
      for (const output of outputs) grads.delete(output);
      inputs.forEach((input, i) => {
        const grad = inputGrads[i];
        if (!input || !needs[i] || !grad) return;
        const sum = grads.get(input);
        if (sum && summed.has(input)) addInPlace(sum, grad);
        else {
          const total = sum ? addGradients(sum, grad) : grad;
          if (sum && !(total instanceof LazyGradient)) summed.add(input);
          grads.set(input, total);
        }
      });
    }
    return grads;
  }
}

const GRADIENTS: WeightGradients = {
  ofRows: (table, lookup) => new RowGradient(table, [lookup]),
  ofProducts: (weights, products) => new ProductGradient(weights, products),
  ofSteps: stepGradients,
};

const denseOrNull = (grad: Tensor | undefined): Tensor | null =>
  grad instanceof LazyGradient ? grad.dense() : (grad ?? null);

/** Adds two gradients of one tensor. */
function addGradients(a: Tensor, b: Tensor): Tensor {
  return (a instanceof LazyGradient ? a.plus(b) : null) ?? add(a, b);
}

/** Adds a gradient to a sum that nothing else reads. */
function addInPlace(sum: Tensor, grad: Tensor): void {
  if (grad instanceof LazyGradient) grad.addTo(sum.block());
  else currentScope().backend.kernels.accumulate(sum.block(), grad.block(), 1);
}

/**
 * Computes the gradients of an op's inputs, each in the shape of its input. If the op returns the gradient of a broadcast
 * input in the broadcast shape, the gradient is summed to the shape of the input.
 */
export function inputGradients(
  op: AnyOp,
  call: Omit<BackwardCall<unknown, Inputs, Outputs>, 'gradients'>,
): Gradients<Inputs> {
  return op.backward({ ...call, gradients: GRADIENTS }).map((grad, i) => {
    const input = call.inputs[i];
    if (grad === null || !input || !call.needs[i]) return null;
    const { shape } = input;
    const extraAxes = grad.rank - shape.length;
    if (extraAxes >= 0 && shape.every((extent, d) => extent === 1 || extent === grad.shape[extraAxes + d])) {
      return sumTo(grad, shape);
    }
    throw new UnrollError(
      'gradient',
      `${op.name}: the gradient of input ${i} must have the input's shape ${formatShape(shape)}, or a shape to which it was broadcast, got ` +
        `${formatShape(grad.shape)}.`,
      { op: op.name, input: i, got: grad.shape, expected: shape },
    );
  });
}

/**
 * Computes the value of a function and its gradients.
 * @param work computes a scalar tensor with ops
 * @param tensors the tensors or parameters with respect to which the value is differentiated
 * @returns the value, and a gradient for each of the tensors, in its shape (zeros if the value does not depend on it)
 */
export function valueAndGrad(
  work: () => Tensor,
  tensors: readonly Tensor[],
): { value: Tensor; grads: Tensor[] } {
  return scope(() => {
    const tape = new Tape(tensors);
    const value = tape.recordDuring(work);
    const grads = tape.gradients(value);
    return { value, grads: tensors.map((tensor) => grads.get(tensor) ?? full(tensor.shape, 0)) };
  });
}

/** Copies its input; the gradient of the input is zero. */
const stopGradientOp: Op<NoAttributes, readonly [Tensor]> = {
  name: 'stopGradient',
  shapes: ([x]) => [x],
  forward({ inputs: [x], outputs: [y], kernels }) {
    kernels.copy({ x: x.block(), y: y.block() });
  },
  backward: () => [null],
};

/** Returns a copy of `x` that gradient computations treat as a constant. */
export function stopGradient(x: Tensor): Tensor {
  return apply1(stopGradientOp, [x], NO_ATTRIBUTES);
}
