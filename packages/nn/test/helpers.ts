/** Helper functions shared by the tests of layers. */
import {
  add,
  type MaskedSequence,
  mul,
  Parameter,
  RandomStream,
  type Shape,
  sum,
  type Tensor,
  tensor,
  valueAndGrad,
} from '@unroll/core';
import { backendSync, inferenceContext } from '@unroll/core/internal';
import type { Layer } from '@unroll/nn';
import { mismatch, onBackend, throwProblems } from '@unroll/testkit';

/** Returns a tensor of normally distributed numbers. The same name gives the same numbers. */
export function randomTensor(name: string, ...shape: number[]): Tensor {
  const size = shape.reduce((product, extent) => product * extent, 1);
  return tensor(Float64Array.from(new RandomStream(1, 'test', name).normal(size)), shape);
}

/** Returns a mask [B, T] from strings such as '1110'. */
export function maskOf(...rows: string[]): Tensor {
  return tensor(rows.map((row) => [...row].map(Number)));
}

/** Runs a layer on tensors. `mask` belongs to the first tensor, and `constantMask` to the last one if there are several. */
export function run(
  layer: Layer,
  inputs: Tensor | readonly Tensor[],
  {
    mask = null,
    constantMask = null,
    training = false,
    seed = 0,
  }: { mask?: Tensor | null; constantMask?: Tensor | null; training?: boolean; seed?: number } = {},
): MaskedSequence[] {
  const list = 'shape' in inputs ? [inputs] : inputs;
  const sequences = list.map((value, i) => ({
    value,
    mask: i === 0 ? mask : i === list.length - 1 ? constantMask : null,
  }));
  return layer.invoke(sequences, { ...inferenceContext(), training, random: new RandomStream(seed, 'run') });
}

export interface OutputsAndGradients {
  outputs: { shape: Shape; values: ArrayLike<number> }[];
  gradients: { shape: Shape; values: ArrayLike<number> }[];
}

/** Returns the outputs of `work`, and the gradients of a randomly weighted sum of the outputs. */
export function outputsAndGradients(
  work: () => readonly Tensor[],
  variables: readonly Tensor[],
): OutputsAndGradients {
  let outputs: OutputsAndGradients['outputs'] = [];
  const { grads } = valueAndGrad(() => {
    const found = work();
    outputs = found.map((output) => ({ shape: output.shape, values: output.dataSync() }));
    const terms = found.map((output, k) => sum(mul(output, randomTensor(`weights ${k}`, ...output.shape))));
    return terms.reduce((total, term) => add(total, term));
  }, variables);
  return { outputs, gradients: grads.map((grad) => ({ shape: grad.shape, values: grad.dataSync() })) };
}

/** Throws if outputs or gradients differ by more than `tolerance` · max(1, largest magnitude in the wanted tensor). */
export function assertSame(
  what: string,
  got: OutputsAndGradients,
  want: OutputsAndGradients,
  tolerance: number,
): void {
  const problems: (string | null)[] = [];
  for (const kind of ['outputs', 'gradients'] as const) {
    if (got[kind].length !== want[kind].length)
      problems.push(`${what}: ${got[kind].length} ${kind} instead of ${want[kind].length}`);
    want[kind].forEach(({ shape, values }, i) => {
      const other = got[kind][i];
      if (other === undefined) return; // reported above
      const name = `${what}: ${kind} ${i}`;
      if (other.shape.join() !== shape.join())
        problems.push(`${name}: [${other.shape}] instead of [${shape}]`);
      else problems.push(mismatch(name, other.values, values, tolerance * Math.max(1, largest(values))));
    });
  }
  throwProblems(problems);
}

function largest(values: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < values.length; i++) most = Math.max(most, Math.abs(values[i]!));
  return most;
}

/**
 * Compares the gradients of x and of the parameters of a layer with central differences, in float64.
 * @param make creates the layer
 * @param options `mask` and `training` as in {@link run}; `discrete`: x contains ids, which have no gradient
 */
export function checkGradients(
  make: () => Layer,
  x: Tensor,
  options: { mask?: Tensor | null; training?: boolean; discrete?: boolean } = {},
): void {
  onBackend(backendSync('reference:float64'), () => {
    const layer = make();
    layer.build([x.shape]);
    const variable = new Parameter('x', x.shape, x.dataSync());
    const parameters = layer.parameters.filter((parameter) => parameter.trainable);
    const variables = options.discrete ? parameters : [variable, ...parameters];
    const losses: Tensor[] = [];
    const work = (): readonly Tensor[] => {
      const context = {
        ...inferenceContext((loss) => losses.push(loss)),
        ...{ training: options.training ?? false, random: new RandomStream(0, 'run') },
      };
      const value = options.discrete ? x : variable;
      const found = layer.invoke([{ value, mask: options.mask ?? null }], context);
      return [...found.map(({ value }) => value), ...losses.splice(0)];
    };
    const { gradients } = outputsAndGradients(work, variables);
    const problems = variables.map((parameter, n) => {
      const before = parameter.dataSync();
      const lossAt = (i: number, value: number): number => {
        parameter.assign(before.map((other, j) => (j === i ? value : other)));
        return work().reduce(
          (total, output, k) =>
            total + sum(mul(output, randomTensor(`weights ${k}`, ...output.shape))).item(),
          0,
        );
      };
      const differences = Array.from(
        before,
        (value, i) => (lossAt(i, value + 1e-5) - lossAt(i, value - 1e-5)) / 2e-5,
      );
      parameter.assign(before);
      return mismatch(`gradient of ${parameter.name}`, gradients[n]!.values, differences, 1e-7);
    });
    throwProblems(problems);
  });
}
