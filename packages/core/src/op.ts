/**
 * What an op is, and how one is applied. An op is one value: its name, its shape rule, its forward computation over
 * backend kernels, and the gradient of it, which is itself written in ops. A missing gradient does not compile.
 */
import type { Kernels } from './backend.js';
import { openScope, runtime } from './runtime.js';
import { scope } from './scope.js';
import type { Shape } from './shape.js';
import { type Tensor, temporaryTensor } from './tensor.js';

/** What an op reads, as a tuple: null where one that may be absent is. */
export type Inputs = readonly (Tensor | null)[];
export type Outputs = readonly Tensor[];

/** The shape of each tensor; null only where the tensor may be. */
export type ShapesOf<T extends Inputs> = {
  readonly [K in keyof T]: null extends T[K] ? Shape | null : Shape;
};
/** A gradient for each tensor; null where there is none, or it is zero everywhere. */
export type Gradients<T extends Inputs> = { readonly [K in keyof T]: Tensor | null };
/** Gradients that come in: of a single output there always is one, or backward is not called. */
export type Incoming<O extends Outputs> = O extends readonly [Tensor] ? O : Gradients<O>;

export interface ForwardCall<A, I extends Inputs, O extends Outputs = readonly [Tensor]> {
  inputs: I;
  attrs: A;
  outputs: O;
  kernels: Kernels;
  /** A gradient will be asked for: save what backward needs. */
  saving: boolean;
}

export interface BackwardCall<A, I extends Inputs, O extends Outputs = readonly [Tensor]> {
  inputs: I;
  attrs: A;
  outputs: O;
  /** What forward returned. */
  saved: unknown;
  /** Gradient of each output; null where nothing depends on it. */
  grads: Incoming<O>;
  /** Which inputs a gradient is wanted for. */
  needs: { readonly [K in keyof I]: boolean };
  kernels: Kernels;
}

/** An op with attributes A, inputs I and outputs O: by default one. */
export interface Op<A, I extends Inputs, O extends Outputs = readonly [Tensor]> {
  readonly name: string;
  /** Output shapes; throws where the inputs do not fit. */
  shapes(inputs: ShapesOf<I>, attrs: A): ShapesOf<O>;
  /** Fills the outputs. The result is saved for the backward pass. */
  forward(call: ForwardCall<A, I, O>): unknown;
  /**
   * Gradients of the inputs, in order; null where none is needed or it is zero everywhere. Where an input was broadcast,
   * its gradient may have the broadcast shape: the tape sums it back.
   */
  backward(call: BackwardCall<A, I, O>): Gradients<I>;
  /** The output is the first input under another shape: no memory, no forward. */
  readonly view?: true;
}

/** Any op, where they are mixed: on a tape, in the walk over the table. Which inputs belong to it is forgotten. */
export type AnyOp = Op<unknown, Inputs, Outputs>;

/** A recorder of applied ops; autograd.ts implements it. */
export interface Recorder {
  tracks(tensor: Tensor): boolean;
  record(op: AnyOp, inputs: Inputs, attrs: unknown, outputs: Outputs, saved: unknown): void;
}

/** The recorder of the gradient being taken now, if one is. */
export const recording: { current: Recorder | null } = { current: null };

/** Applies an op in the open scope, or in a new one if none is open. */
export function apply<A, I extends Inputs, O extends Outputs>(
  op: Op<A, I, O>,
  inputs: NoInfer<I>,
  attrs: A,
): O {
  const outputs =
    runtime.scope === null ? scope(() => applyHere(op, inputs, attrs)) : applyHere(op, inputs, attrs);
  // There are as many as the op's shapes, which applyHere does not know.
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

/** Applies an op of one output. */
export function apply1<A, I extends Inputs>(op: Op<A, I>, inputs: NoInfer<I>, attrs: A): Tensor {
  return apply(op, inputs, attrs)[0];
}

/** Attributes of an op that has none. */
export type NoAttributes = Record<string, never>;
export const NONE: NoAttributes = {};
