/**
 * Derivatives of one step of the output, or of the loss at this step, with respect to all states and inputs. `gradientFlow`,
 * `connectivity` and `memoryLength` summarise them.
 *
 * The derivative of an output of D numbers with respect to a vector is a matrix, and its norm here is the Frobenius norm:
 * the square root of the sum of squares over D backward passes. If D is above 16, the norm is estimated by 16 backward
 * passes with random vectors (Hutchinson 1990): E |v'J|² = |J|² for vectors v of independent random signs.
 */
import {
  abs,
  div,
  type FloatArray,
  type MaskedSequence,
  max,
  maximum,
  minimum,
  mul,
  RandomStream,
  reshape,
  type Shape,
  slice,
  sqrt,
  square,
  sum,
  type Tensor,
  valueError,
} from '@unroll/core';
import { hostTensor, inferenceContext, recording } from '@unroll/core/internal';
import { type LossSpec, resolveLoss } from '@unroll/train';
import { type DataArray, readArray, zerosOf } from './arrays.js';
import type { Inputs, Subject } from './inputs.js';
import { type LayerRun, withInstruments } from './instrument.js';
import type { Site } from './network.js';
import { Probe } from './probe.js';
import { type CollectedValues, collect, readCollected } from './step-values.js';
import { chooseSteps, outputOf, selectSteps } from './steps.js';

/** Which numbers are differentiated. */
export interface OutputOptions {
  /**
   * The step of the output, for outputs [B, T, D]: an index, `last` (the last valid step of each sequence) or `random`.
   * Outputs without a time axis belong to the last step. Default `last`.
   */
  step?: number | 'last' | 'random';
  /** Index of the output of a model with several outputs. Default 0. */
  output?: number;
  /** Index of the number in the output. Default: all numbers, with the Frobenius norm of their derivatives. */
  component?: number;
  /** Seed of random steps and signs. Default 0. */
  seed?: number;
}

/** The types of `OutputOptions`, for `checkOptions`; `true`: the option is checked elsewhere. */
export const OUTPUT_OPTIONS = {
  step: true,
  output: 'nonNegativeInteger',
  component: 'nonNegativeInteger',
  seed: 'nonNegativeInteger',
} as const;

/** The loss to differentiate instead of the output, and the targets y. */
export interface LossTarget {
  loss: LossSpec;
  y: Tensor;
}

/** Largest number of backward passes. Up to this width, an output needs one pass per number; beyond it, random signs are used. */
const MAX_PASSES = 16;

/** The derivatives with respect to the states of one layer, and its gates in the same forward pass. */
export interface LayerDerivatives {
  run: Pick<LayerRun, 'site' | 'cell' | 'reverse'>;
  mask: DataArray | null;
  gates: Record<string, DataArray>;
  /** Squared norms of the derivatives by state, [B, T] in time order. */
  squares: Record<string, DataArray>;
}

/** The squared norms of the derivatives with respect to an input, or with respect to the vectors of an embedding. */
export interface InputSquares {
  /** Name of the input, or of the embedding. */
  name: string;
  /** Index of the input of the model; null: the embedding does not read an input of the model. */
  input: number | null;
  /** [B, T] */
  squares: DataArray;
}

export interface Derivatives {
  /** The step of the output, for each sequence. */
  steps: Int32Array;
  /** Number of steps of the output; null: the output has no time axis. */
  outputSteps: number | null;
  layers: LayerDerivatives[];
  inputs: InputSquares[];
}

/** A tensor with respect to which the outputs are differentiated: an input, or the vectors of an embedding. */
interface Leaf {
  name: string;
  input: number | null;
  tensor: Tensor;
}

/** Computes the derivatives for a batch. @param sites the layers whose states are differentiated */
export async function differentiate(
  { network, changes }: Subject,
  inputs: Inputs,
  sites: readonly Site[],
  options: OutputOptions,
  target: LossTarget | null = null,
): Promise<Derivatives> {
  network.build(inputs.sequences.map(({ value }) => [-1, ...value.shape.slice(1)]));
  const probe = new Probe();
  const names = network.inputNames;
  const leaves: Leaf[] = inputs.sequences.map(({ value }, input) => ({
    ...{ name: names?.[input] ?? 'input', input, tensor: value },
  }));
  for (const { tensor } of leaves) probe.track(tensor);
  const embedded = new Set<number>();
  const runs: LayerRun[] = [];
  const found = withInstruments(
    network,
    {
      ...{ sites, changes, probe, onRun: (run: LayerRun) => void runs.push(run) },
      onEmbedding(layer, ids, vectors) {
        const input = inputs.sequences.findIndex(({ value }) => value === ids);
        if (input >= 0) embedded.add(input);
        probe.track(vectors);
        leaves.push({ name: layer.name, input: input < 0 ? null : input, tensor: vectors });
        return vectors;
      },
    },
    () => {
      let chosen!: { scalars: Tensor[]; factor: number; steps: Int32Array; outputSteps: number | null };
      probe.recordDuring(() => {
        const outputs = network.forward(inputs.sequences, inferenceContext());
        chosen = scalarsOf(outputs, inputs, options, target);
      });
      const sums = backwardPasses(probe, runs, leaves, chosen);
      return {
        ...chosen,
        ...sums,
        records: runs.map(({ mask, gates }) => ({ mask, gates: collect(gates) })),
      };
    },
  );
  // If an embedding reads the ids of an input, the vectors of the embedding are reported instead of the input.
  const used = leaves.filter(
    ({ input, name }) => input === null || !embedded.has(input) || !isInput(names, name),
  );
  return readDerivatives(found, runs, leaves, used);
}

const isInput = (names: readonly string[] | null, name: string): boolean =>
  names ? names.includes(name) : name === 'input';

interface Norms {
  /** For each run: the norms by state in every pass, [B, T] each. */
  states: Record<string, Tensor[]>[];
  /** For each leaf: the norms in every pass, [B, T] each; empty if the leaf has no time axis or no influence. */
  inputs: Tensor[][];
}

/** Runs one backward pass per scalar and returns the norms of all gradients. */
function backwardPasses(
  probe: Probe,
  runs: readonly LayerRun[],
  leaves: readonly Leaf[],
  { scalars, factor }: { scalars: readonly Tensor[]; factor: number },
): Norms {
  const states: Record<string, Tensor[]>[] = runs.map(() => ({}));
  const inputs: Tensor[][] = leaves.map(() => []);
  for (const scalar of scalars) {
    const gradients = probe.gradients(scalar, factor);
    runs.forEach((run, i) => {
      for (const [name, gradient] of Object.entries(run.gradients()))
        (states[i][name] ??= []).push(normsByStep(gradient));
    });
    leaves.forEach(({ tensor }, i) => {
      const gradient = gradients.get(tensor);
      if (gradient && gradient.rank >= 2) inputs[i].push(normsByStep(gradient));
    });
  }
  return { states, inputs };
}

/**
 * Returns the norm of a gradient [B, T, ...] at each step, [B, T]. Dividing by the largest element first keeps the squares of
 * very small and very large gradients in the range of float32.
 */
function normsByStep(gradient: Tensor): Tensor {
  if (gradient.rank === 2) return abs(gradient);
  const [B, T] = gradient.shape;
  const flat = reshape(gradient, [B, T, gradient.size / (B * T)]);
  const scale = minimum(maximum(max(abs(flat), -1, true), 1e-37), 1e37);
  const norms = sqrt(sum(square(div(flat, scale)), -1));
  return mul(norms, reshape(scale, [B, T]));
}

/** Returns the sum of the squares of the norms of all passes. */
async function sumOfSquares(norms: readonly Tensor[]): Promise<DataArray> {
  const total = zerosOf(norms[0].shape);
  for (const tensor of norms) {
    const { values } = await readArray(tensor);
    for (let i = 0; i < values.length; i++) total.values[i] += values[i] * values[i];
  }
  return total;
}

async function readDerivatives(
  found: {
    steps: Int32Array;
    outputSteps: number | null;
    records: { mask: Tensor | null; gates: CollectedValues }[];
  } & Norms,
  runs: readonly LayerRun[],
  leaves: readonly Leaf[],
  used: readonly Leaf[],
): Promise<Derivatives> {
  const layers = runs.map(async ({ site, cell, reverse }, i): Promise<LayerDerivatives> => {
    const { mask, gates } = found.records[i];
    const squares = Object.entries(found.states[i]).map(
      async ([name, passes]) => [name, await sumOfSquares(passes)] as const,
    );
    return {
      run: { site, cell, reverse },
      mask: mask && (await readArray(mask)),
      gates: await readCollected(gates),
      squares: Object.fromEntries(await Promise.all(squares)),
    };
  });
  const inputs = used.flatMap(({ name, input, tensor }) => {
    const passes = found.inputs[leaves.findIndex((leaf) => leaf.tensor === tensor)];
    if (passes.length === 0) return [];
    return [sumOfSquares(passes).then((squares): InputSquares => ({ name, input, squares }))];
  });
  const { steps, outputSteps } = found;
  return { steps, outputSteps, layers: await Promise.all(layers), inputs: await Promise.all(inputs) };
}

/** Returns the scalars to differentiate, the factor by which their gradients are multiplied, and the steps of the output. */
function scalarsOf(
  outputs: readonly MaskedSequence[],
  inputs: Inputs,
  options: OutputOptions,
  target: LossTarget | null,
): { scalars: Tensor[]; factor: number; steps: Int32Array; outputSteps: number | null } {
  const { output = 0, component, seed = 0 } = options;
  const chosen = outputOf(outputs, output);
  const { value, mask } = chosen;
  const random = new RandomStream(seed, 'insight');
  const hasTime = value.rank >= 3;
  const steps = chooseSteps(chosen, inputs, options.step ?? 'last', random);
  const outputSteps = hasTime ? value.shape[1] : null;
  if (target) return { ...lossScalar(value, mask, steps, target), steps, outputSteps };
  const selected = hasTime ? selectSteps(value, steps) : value;
  const [B, ...rest] = selected.shape;
  const D = rest.reduce((size, extent) => size * extent, 1);
  const flat = reshape(selected, [B, D]);
  if (component !== undefined) {
    if (component < D)
      return { scalars: [sum(slice(flat, 1, component, component + 1))], factor: 1, steps, outputSteps };
    throw valueError(`component must be an index below ${D}, the width of the output, got ${component}.`);
  }
  if (D <= MAX_PASSES) {
    const scalars = Array.from({ length: D }, (_, d) => sum(slice(flat, 1, d, d + 1)));
    return { scalars, factor: 1, steps, outputSteps };
  }
  const scalars = Array.from({ length: MAX_PASSES }, () => sum(mul(flat, signs(random, [B, D]))));
  return { scalars, factor: 1 / Math.sqrt(MAX_PASSES), steps, outputSteps };
}

/** Returns random independent signs, 1 or -1. */
function signs(random: RandomStream, shape: Shape): Tensor {
  const size = shape.reduce((total, extent) => total * extent, 1);
  return hostTensor(random.uniform(size).map((u) => (u < 0.5 ? -1 : 1)) as FloatArray, shape);
}

/**
 * Returns the loss at the chosen steps or, if the loss is defined for whole sequences, the loss of the whole output. The factor
 * cancels a mean over the batch, so the gradients are the gradients of the loss of each sequence.
 */
function lossScalar(
  value: Tensor,
  mask: Tensor | null,
  steps: Int32Array,
  { loss: spec, y }: LossTarget,
): { scalars: Tensor[]; factor: number } {
  const loss = resolveLoss(spec);
  const B = value.shape[0];
  const factor = loss.config.reduction === 'sum' ? 1 : B;
  if (value.rank < 3 || loss.perSequence) return { scalars: [loss.compute(value, y, mask)], factor };
  const target = y.rank >= 2 && y.shape[1] === value.shape[1] ? selectTarget(y, steps) : y;
  return { scalars: [loss.compute(selectSteps(value, steps), target, null)], factor };
}

/** Returns the targets of the chosen steps. The tape does not record the selection, because targets are constants. */
function selectTarget(y: Tensor, steps: Int32Array): Tensor {
  const outer = recording.current;
  recording.current = null;
  const selected = selectSteps(y.rank === 2 ? reshape(y, [...y.shape, 1]) : y, steps);
  recording.current = outer;
  return y.rank === 2 ? reshape(selected, [y.shape[0]]) : selected;
}
