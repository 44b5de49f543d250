/**
 * What an op is, and how one is applied. An op is one value: its name, its shape rule, its forward computation over
 * backend kernels, and the gradient of it, which is itself written in ops. A missing gradient does not compile.
 */
import type { Kernels } from './backend.js';
import { runtime } from './runtime.js';
import { scope } from './scope.js';
import type { Shape } from './shape.js';
import { type Tensor, temporaryTensor } from './tensor.js';

export interface ForwardCall<A> {
  inputs: readonly (Tensor | null)[];
  attrs: A;
  outputs: readonly Tensor[];
  kernels: Kernels;
  /** A gradient will be asked for: save what backward needs. */
  saving: boolean;
}

export interface BackwardCall<A> {
  inputs: readonly (Tensor | null)[];
  attrs: A;
  outputs: readonly Tensor[];
  /** What forward returned. */
  saved: unknown;
  /** Gradient of each output; null where nothing depends on it. */
  grads: readonly (Tensor | null)[];
  /** Which inputs a gradient is wanted for. */
  needs: readonly boolean[];
  kernels: Kernels;
}

export interface Op<A> {
  readonly name: string;
  /** Output shapes; throws where the inputs do not fit. */
  shapes(inputs: readonly (Shape | null)[], attrs: A): Shape[];
  /** Fills the outputs; what it returns is kept for backward. */
  forward(call: ForwardCall<A>): unknown;
  /**
   * Gradients of the inputs, in order; null where none is needed or it is zero everywhere. Where an input was broadcast,
   * its gradient may have the broadcast shape: the tape sums it back.
   */
  backward(call: BackwardCall<A>): (Tensor | null)[];
  /** The output is the first input under another shape: no memory, no forward. */
  readonly view?: true;
}

/** A recorder of applied ops; autograd.ts implements it. */
export interface Recorder {
  tracks(tensor: Tensor): boolean;
  record<A>(
    op: Op<A>,
    inputs: readonly (Tensor | null)[],
    attrs: A,
    outputs: readonly Tensor[],
    saved: unknown,
  ): void;
}

/** The recorder of the gradient being taken now, if one is. */
export const recording: { current: Recorder | null } = { current: null };

/** Applies an op in the open scope (in one of its own where none is open). */
export function apply<A>(op: Op<A>, inputs: readonly (Tensor | null)[], attrs: A): Tensor[] {
  return runtime.scope === null ? scope(() => applyHere(op, inputs, attrs)) : applyHere(op, inputs, attrs);
}

function applyHere<A>(op: Op<A>, inputs: readonly (Tensor | null)[], attrs: A): Tensor[] {
  const shapes = op.shapes(inputs.map(shapeOf), attrs);
  const recorder = recording.current;
  const saving = recorder !== null && inputs.some((input) => input !== null && recorder.tracks(input));
  let outputs: Tensor[];
  let saved: unknown = null;
  if (op.view) {
    outputs = [inputs[0]!.withShape(shapes[0])];
  } else {
    outputs = shapes.map(temporaryTensor);
    const { kernels } = runtime.scope!.backend;
    saved = op.forward({ inputs, attrs, outputs, kernels, saving });
  }
  if (saving) recorder.record(op, inputs, attrs, outputs, saved);
  return outputs;
}

function shapeOf(input: Tensor | null): Shape | null {
  return input === null ? null : input.shape;
}

/** Applies an op of one output. */
export function apply1<A>(op: Op<A>, inputs: readonly (Tensor | null)[], attrs: A): Tensor {
  return apply(op, inputs, attrs)[0];
}

/** Attributes of an op that has none. */
export type NoAttributes = Record<string, never>;
export const NONE: NoAttributes = {};
