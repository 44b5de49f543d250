/**
 * A tape that can also report the gradients of intermediate tensors. It ignores parameters, because the analyses of this
 * package differentiate with respect to inputs and states; weight gradients would take most of the time.
 */
import { Parameter, type Tensor } from '@unroll/core';
import { type AnyOp, type Inputs, type Outputs, Tape } from '@unroll/core/internal';

export class Probe extends Tape {
  readonly #leaves = new Set<Tensor>();
  readonly #sinks = new Map<Tensor, ((gradient: Tensor) => void)[]>();

  /** Makes backward passes compute the gradients with respect to this tensor and to every tensor computed from it. */
  track(tensor: Tensor): void {
    this.#leaves.add(tensor);
  }

  /**
   * Calls `sink` in every backward pass with the total gradient with respect to `tensor`, the output of an op. If no gradient
   * reaches the tensor, `sink` is not called.
   */
  watch(tensor: Tensor, sink: (gradient: Tensor) => void): void {
    const sinks = this.#sinks.get(tensor) ?? [];
    sinks.push(sink);
    this.#sinks.set(tensor, sinks);
  }

  override tracks(tensor: Tensor): boolean {
    if (this.#leaves.has(tensor)) return true;
    return !(tensor instanceof Parameter) && super.tracks(tensor);
  }

  override record(op: AnyOp, inputs: Inputs, attrs: unknown, outputs: Outputs, saved: unknown): void {
    const reportingOp: AnyOp = {
      ...op,
      backward: (call) => {
        outputs.forEach((output, i) => {
          const gradient = (call.grads as readonly (Tensor | null)[])[i];
          if (gradient) for (const sink of this.#sinks.get(output) ?? []) sink(gradient);
        });
        return op.backward(call);
      },
    };
    super.record(reportingOp, inputs, attrs, outputs, saved);
  }
}
