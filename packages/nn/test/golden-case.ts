/** Reads golden cases, sets golden weights, and compares layers with the results of Keras and PyTorch. */
import {
  add,
  currentBackend,
  mul,
  type Parameter,
  type Shape,
  scope,
  sum,
  type Tensor,
  tensor,
  valueAndGrad,
} from '@unroll/core';
import { inferenceContext } from '@unroll/core/internal';
import type { Activation, Layer } from '@unroll/nn';
import { gradientTolerance, mismatch, onBackend, outputTolerance, throwProblems } from '@unroll/testkit';
import { inferenceBackends, readGoldens, type TestBackend, testBackends } from '@unroll/testkit/node';

/** A tensor in a golden file. */
export interface GoldenTensor {
  shape: Shape;
  /** base64 of little-endian float32 */
  data: string;
}

export interface GoldenWeight {
  name: string;
  tensor: GoldenTensor;
}

export interface GoldenCase<Options, Inputs, Gradients> {
  name: string;
  options: Options;
  inputs: Inputs & {
    /** Coefficients of the scalar Σ outputWeights · outputs, whose gradients are compared; one tensor per output. */
    outputWeights: GoldenTensor[];
  };
  weights: GoldenWeight[];
  outputs: GoldenTensor[];
  gradients: Gradients;
}

export function readCases<C>(file: string): C[] {
  return (readGoldens(`recurrent/${file}.json`) as { cases: C[] }).cases;
}

export function valuesOf({ data }: GoldenTensor): Float32Array {
  const bytes = Buffer.from(data, 'base64');
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4).slice();
}

export function tensorFrom(golden: GoldenTensor): Tensor {
  return tensor(valuesOf(golden), golden.shape);
}

/** Converts snake case to camel case: `hard_sigmoid` to `hardSigmoid`. */
export function camel(name: string): Activation {
  return name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()) as Activation;
}

/**
 * Builds a layer and sets the golden weights.
 * @param shapes the shapes of the inputs; undefined if the layer is a model, which knows them
 */
export function withWeights<L extends Layer>(
  layer: L,
  shapes: readonly Shape[] | undefined,
  weights: readonly GoldenWeight[],
): L {
  if (shapes) layer.build(shapes);
  layer.setWeights(weights.map(({ tensor: golden }) => ({ shape: golden.shape, values: valuesOf(golden) })));
  return layer;
}

export interface Expected {
  outputs: readonly GoldenTensor[];
  /** Coefficients of the scalar Σ outputWeights · outputs, whose gradients are compared; one tensor per output. */
  outputWeights: readonly GoldenTensor[];
  gradients: readonly GoldenTensor[];
}

/**
 * Runs `work`, and compares its outputs, and the gradients of their weighted sum with respect to `variables`, with the goldens.
 * On a backend for inference only, compares just the outputs. Throws one error that lists every tensor that differs.
 */
export function compare(
  work: () => readonly Tensor[],
  variables: readonly Tensor[],
  expected: Expected,
): void {
  if (!currentBackend().supports('lstmBackward')) {
    const found = scope(() => [...work()]);
    const outputs = found.map((output) => ({ shape: output.shape, values: output.dataSync() }));
    throwProblems(differences('output', outputs, expected.outputs, outputTolerance));
    return;
  }
  let outputs: { shape: Shape; values: ArrayLike<number> }[] = [];
  const { grads } = valueAndGrad(() => {
    const found = work();
    outputs = found.map((output) => ({ shape: output.shape, values: output.dataSync() }));
    const terms = found.map((output, k) => sum(mul(output, tensorFrom(expected.outputWeights[k]!))));
    return terms.reduce((total, term) => add(total, term));
  }, variables);
  throwProblems([
    ...differences('output', outputs, expected.outputs, outputTolerance),
    ...differences(
      'gradient',
      grads.map((grad) => ({ shape: grad.shape, values: grad.dataSync() })),
      expected.gradients,
      gradientTolerance,
    ),
  ]);
}

function differences(
  kind: string,
  got: readonly { shape: Shape; values: ArrayLike<number> }[],
  want: readonly GoldenTensor[],
  tolerance: (expected: ArrayLike<number>) => number,
): (string | null)[] {
  if (got.length !== want.length) return [`${got.length} ${kind}s instead of ${want.length}`];
  return want.map((golden, i) => {
    const { shape, values } = got[i]!;
    if (shape.join() !== golden.shape.join())
      return `${kind} ${i}: shape [${shape}] instead of [${golden.shape}]`;
    const expected = valuesOf(golden);
    return mismatch(`${kind} ${i}`, values, expected, tolerance(expected));
  });
}

/** All backends, also those for inference only. For a backend that does not load, `backend` is null and `reason` says why. */
export const backends: TestBackend[] = [...testBackends(), ...inferenceBackends()];

export function trainableParametersOf(layer: Layer): readonly Parameter[] {
  return layer.parameters.filter((parameter) => parameter.trainable);
}

export { inferenceContext, onBackend };
