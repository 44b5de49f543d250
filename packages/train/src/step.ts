/**
 * One training step: forward, backward, clip, update. The trainable weights, their gradients and the optimizer's slots
 * lie in one flat buffer each.
 */
import {
  add,
  type Flow,
  type ForwardContext,
  type Model,
  reshape,
  type Shape,
  scope,
  type Tensor,
} from '@unroll/core';
import { FlatBuffer, layOut, runtime, Tape } from '@unroll/core/internal';
import type { Loss } from './losses.js';
import type { Optimizer } from './optimizers.js';

/** Gradient clipping; by the norm of all gradients together. */
export interface Clip {
  globalNorm: number;
}

export interface StepResult {
  loss: number;
  /** Norm of all gradients together, before clipping. */
  gradientNorm: number;
  clipped: boolean;
}

export class Stepper {
  readonly #model: Model;
  readonly #optimizer: Optimizer;
  readonly #loss: Loss;
  readonly #clip: Clip | null;
  readonly #weights: FlatBuffer;
  readonly #grads: FlatBuffer;
  readonly #slots: FlatBuffer[];
  #steps = 0;

  /** The model must be built. */
  constructor(model: Model, optimizer: Optimizer, loss: Loss, clip: Clip | null) {
    this.#model = model;
    this.#optimizer = optimizer;
    this.#loss = loss;
    this.#clip = clip;
    this.#weights = layOut(model.parameters.filter((parameter) => parameter.trainable));
    this.#grads = new FlatBuffer(this.#weights.length);
    this.#slots = optimizer.slots.map(() => new FlatBuffer(this.#weights.length));
  }

  /** Forward and backward: leaves the gradients in their buffer. */
  gradients(inputs: readonly Tensor[], target: Tensor, context: ForwardContext): StepResult {
    return scope(() => {
      const tape = new Tape();
      const flows: Flow[] = inputs.map((value) => ({ value, mask: null }));
      const lossTensor = tape.recordDuring(() => {
        const terms: Tensor[] = []; // what layers add to the loss: regularisers
        const addLoss = (term: Tensor): void => void terms.push(term);
        const [output] = this.#model.forward(flows, { ...context, addLoss });
        const { value, mask } = output!;
        return terms.reduce(add, this.#loss.compute(value, asColumn(target, value.shape), mask));
      });
      const found = tape.gradients(lossTensor);
      const { kernels } = runtime.scope!.backend;
      const total = this.#grads.block();
      for (const parameter of this.#model.parameters) {
        if (!parameter.trainable) continue;
        const place = this.#grads.blockFor(parameter.home.offset, parameter.size);
        const grad = found.get(parameter);
        if (grad) kernels.copy(grad.block(), 0, [1], place, 0, [1], [parameter.size]);
        else kernels.fill(place, 0);
      }
      const squares = runtime.scope!.backend.temporary(1);
      kernels.reduce('sumSquares', total, squares, 1, this.#grads.length, 1);
      const gradientNorm = Math.sqrt(runtime.scope!.backend.read(squares)[0]!);
      const limit = this.#clip?.globalNorm ?? Number.POSITIVE_INFINITY;
      return { loss: lossTensor.item(), gradientNorm, clipped: gradientNorm > limit };
    });
  }

  /** The optimizer's update from the gradients in the buffer. */
  update({ gradientNorm, clipped }: StepResult): void {
    this.#steps++;
    const gScale = clipped ? this.#clip!.globalNorm / gradientNorm : 1;
    scope(() => {
      this.#optimizer.update({
        kernels: runtime.scope!.backend.kernels,
        w: this.#weights.block(),
        g: this.#grads.block(),
        slots: this.#slots.map((slot) => slot.block()),
        step: this.#steps,
        rate: this.#optimizer.learningRate,
        gScale,
      });
      for (const parameter of this.#model.parameters) {
        if (parameter.trainable && parameter.constraint) parameter.assign(parameter.constraint(parameter));
      }
    });
  }
}

/** Targets [N] beside predictions [N, 1] are meant as a column; so at any depth. */
export function asColumn(target: Tensor, prediction: Shape): Tensor {
  const lacksOne = target.rank === prediction.length - 1 && prediction.at(-1) === 1;
  return lacksOne ? reshape(target, [...target.shape, 1]) : target;
}
