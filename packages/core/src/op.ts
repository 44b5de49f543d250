/**
 * The definition and application of ops. An op is an object with a name, a shape rule, a forward computation that calls
 * backend kernels, and a backward computation. An op without a backward computation does not compile.
 */
import type { Kernels } from './backend.js';
import type { SequenceBuffers } from './ops/recurrent.js';
import type { ProductFactors } from './product-gradient.js';
import type { Lookup } from './row-gradient.js';
import { currentScope, runtime } from './runtime.js';
import { scope } from './scope.js';
import type { Shape } from './shape.js';
import { type Tensor, temporaryTensor } from './tensor.js';

/** The inputs of an op. Null: an optional input is absent. */
export type Inputs = readonly (Tensor | null)[];
export type Outputs = readonly Tensor[];

/** The shape of each tensor; null only for optional tensors. */
export type ShapesOf<T extends Inputs> = {
  readonly [K in keyof T]: null extends T[K] ? Shape | null : Shape;
};
/** A gradient for each tensor; null if it is not requested or zero everywhere. */
export type Gradients<T extends Inputs> = { readonly [K in keyof T]: Tensor | null };
/** The gradients of the outputs. If there is only one output, its gradient is never null. */
export type OutputGradients<O extends Outputs> = O extends readonly [Tensor] ? O : Gradients<O>;

export interface ForwardCall<A, I extends Inputs, O extends Outputs = readonly [Tensor]> {
  inputs: I;
  attrs: A;
  outputs: O;
  kernels: Kernels;
  /** True if a gradient may be requested later: forward must return the data that backward needs. */
  saving: boolean;
}

/**
 * Creates the gradients of weights. Only autograd.ts imports the implementation, so bundles that only run models do not
 * contain it.
 */
export interface WeightGradients {
  /** The gradient of a table [rows, width] whose rows were looked up. */
  ofRows(table: Shape, lookup: Lookup): Tensor;
  /** The gradient of weights that multiplied rows: see {@link ProductFactors}. */
  ofProducts(weights: Shape, products: readonly ProductFactors[]): Tensor;
  /** dW [I,width] and dU [H,width] of a recurrent op, from the gradients dG [T,B,width] of its gates before activation. */
  ofSteps(buffers: SequenceBuffers, dG: Tensor): [dW: Tensor, dU: Tensor];
}

export interface BackwardCall<A, I extends Inputs, O extends Outputs = readonly [Tensor]> {
  inputs: I;
  attrs: A;
  outputs: O;
  /** The value that forward returned. */
  saved: unknown;
  /** Gradient of each output; null if the loss does not depend on the output. */
  grads: OutputGradients<O>;
  /** For each input: true if its gradient is requested. */
  needs: { readonly [K in keyof I]: boolean };
  kernels: Kernels;
  gradients: WeightGradients;
}

/** An op with attributes A, inputs I and outputs O (default: one output). */
export interface Op<A, I extends Inputs, O extends Outputs = readonly [Tensor]> {
  readonly name: string;
  /** Returns the output shapes. @throws UnrollError `shape` if the input shapes are invalid */
  shapes(inputs: ShapesOf<I>, attrs: A): ShapesOf<O>;
  /** Computes the outputs. The returned value is saved for the backward pass. */
  forward(call: ForwardCall<A, I, O>): unknown;
  /**
   * Returns the gradients of the inputs, in order; null if not requested or zero everywhere. The gradient of a broadcast
   * input may have the broadcast shape; the tape sums it.
   */
  backward(call: BackwardCall<A, I, O>): Gradients<I>;
  /** True if the output is the first input in another shape: both share memory, and `forward` is not called. */
  readonly view?: true;
}

/** The type of all ops, for code that does not depend on the kind of op. */
export type AnyOp = Op<unknown, Inputs, Outputs>;

/** A recorder of applied ops; autograd.ts implements it. */
export interface Recorder {
  /** Returns whether ops on a tensor must be recorded. */
  tracks(tensor: Tensor): boolean;
  record(op: AnyOp, inputs: Inputs, attrs: unknown, outputs: Outputs, saved: unknown): void;
}

/** The recorder of the current gradient computation; null if there is none. */
export const recording: { current: Recorder | null } = { current: null };

/** Applies an op in the open scope, or in a new one if none is open. */
export function apply<A, I extends Inputs, O extends Outputs>(
  op: Op<A, I, O>,
  inputs: NoInfer<I>,
  attrs: A,
): O {
  const outputs =
    runtime.scope === null ? scope(() => applyInScope(op, inputs, attrs)) : applyInScope(op, inputs, attrs);
  // applyInScope does not know the number of outputs at compile time.
  return outputs as Outputs as O;
}

/** Applies an op in the open scope. */
function applyInScope(op: AnyOp, inputs: Inputs, attrs: unknown): Outputs {
  const shapes = op.shapes(inputs.map(shapeOf), attrs);
  const recorder = recording.current;
  const saving = recorder !== null && inputs.some((input) => input !== null && recorder.tracks(input));
  let outputs: Outputs;
  let saved: unknown = null;
  if (op.view) {
    outputs = [inputs[0]!.withShape(shapes[0])];
  } else {
    outputs = shapes.map(temporaryTensor);
    const { kernels } = currentScope().backend;
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

/** The type of the attributes of an op that has none. */
export type NoAttributes = Record<string, never>;
export const NO_ATTRIBUTES: NoAttributes = {};
