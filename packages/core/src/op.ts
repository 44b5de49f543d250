/**
 * The definition of an op, and its application. An op is one value: its name, its shape rule, its forward computation
 * with backend kernels, and its gradient, which is written in ops. An op without a gradient does not compile.
 */
import type { Kernels } from './backend.js';
import { openScope, runtime } from './runtime.js';
import { scope } from './scope.js';
import type { Shape } from './shape.js';
import { type Tensor, temporaryTensor } from './tensor.js';

/** The inputs of an op, as a tuple; null for an optional input that is absent. */
export type Inputs = readonly (Tensor | null)[];
export type Outputs = readonly Tensor[];

/** The shape of each input; null only if the input is optional. */
export type ShapesOf<T extends Inputs> = {
  readonly [K in keyof T]: null extends T[K] ? Shape | null : Shape;
};
/** A gradient for each input; null if there is none, or if it is zero everywhere. */
export type Gradients<T extends Inputs> = { readonly [K in keyof T]: Tensor | null };
/** The incoming gradients. An op with one output always gets one, because backward is not called otherwise. */
export type Incoming<O extends Outputs> = O extends readonly [Tensor] ? O : Gradients<O>;

export interface ForwardCall<A, I extends Inputs, O extends Outputs = readonly [Tensor]> {
  inputs: I;
  attrs: A;
  outputs: O;
  kernels: Kernels;
  /** True if a gradient will be requested: forward must save what backward needs. */
  saving: boolean;
}

export interface BackwardCall<A, I extends Inputs, O extends Outputs = readonly [Tensor]> {
  inputs: I;
  attrs: A;
  outputs: O;
  /** The result of forward. */
  saved: unknown;
  /** Gradient of each output; null if nothing depends on the output. */
  grads: Incoming<O>;
  /** For each input: true if its gradient is requested. */
  needs: { readonly [K in keyof I]: boolean };
  kernels: Kernels;
}

/** An op with attributes A, inputs I and outputs O; one output by default. */
export interface Op<A, I extends Inputs, O extends Outputs = readonly [Tensor]> {
  readonly name: string;
  /** Output shapes; throws if the inputs do not fit. */
  shapes(inputs: ShapesOf<I>, attrs: A): ShapesOf<O>;
  /** Computes the outputs. The result is saved for the backward pass. */
  forward(call: ForwardCall<A, I, O>): unknown;
  /**
   * Gradients of the inputs, in order; null if not needed or zero everywhere. The gradient of a broadcast input may
   * have the broadcast shape: the tape sums it.
   */
  backward(call: BackwardCall<A, I, O>): Gradients<I>;
  /** True if the output is the first input in another shape: no memory, no forward computation. */
  readonly view?: true;
}

/** Any op, for code that handles all ops: tapes and loops over the op table. Its input types are erased. */
export type AnyOp = Op<unknown, Inputs, Outputs>;

/** A recorder of applied ops; autograd.ts implements it. */
export interface Recorder {
  tracks(tensor: Tensor): boolean;
  record(op: AnyOp, inputs: Inputs, attrs: unknown, outputs: Outputs, saved: unknown): void;
}

/** The recorder of the current gradient computation, if there is one. */
export const recording: { current: Recorder | null } = { current: null };

/** Applies an op in the open scope, or in a new one if none is open. */
export function apply<A, I extends Inputs, O extends Outputs>(
  op: Op<A, I, O>,
  inputs: NoInfer<I>,
  attrs: A,
): O {
  const outputs =
    runtime.scope === null ? scope(() => applyHere(op, inputs, attrs)) : applyHere(op, inputs, attrs);
  // The number of outputs follows from the op's shapes, which applyHere does not know.
  return outputs as Outputs as O;
}

function applyHere(op: AnyOp, inputs: Inputs, attrs: unknown): Outputs {
  const shapes = op.shapes(inputs.map(shapeOf), attrs);
  const recorder = recording.current;
  const saving = recorder !== null && inputs.some((input) => input !== null && recorder.tracks(input));
  let outputs: Outputs;
  let saved: unknown = null;
  if (op.view) {
    outputs = [inputs[0]!.withShape(shapes[0])];
  } else {
    outputs = shapes.map(temporaryTensor);
    const { kernels } = openScope().backend;
    saved = op.forward({ inputs, attrs, outputs, kernels, saving });
  }
  if (saving) recorder.record(op, inputs, attrs, outputs, saved);
  return outputs;
}

function shapeOf(input: Tensor | null): Shape | null {
  return input === null ? null : input.shape;
}

/** Applies an op with one output. */
export function apply1<A, I extends Inputs>(op: Op<A, I>, inputs: NoInfer<I>, attrs: A): Tensor {
  return apply(op, inputs, attrs)[0];
}

/** The attributes of an op without attributes. */
export type NoAttributes = Record<string, never>;
export const NONE: NoAttributes = {};
