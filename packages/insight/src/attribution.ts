/** `attribution`: how much each step and feature of the input contributes to one number of the output. */
import { type FloatArray, mul, sum, type Tensor, valueError } from '@unroll/core';
import { checkOptions, hostTensor, inferenceContext } from '@unroll/core/internal';
import { type DataArray, readArray, zerosOf } from './arrays.js';
import { OUTPUT_OPTIONS, type OutputOptions } from './derivatives.js';
import {
  type Inputs,
  inputsOf,
  type MaskOption,
  type ModelInput,
  type Subject,
  subjectOf,
} from './inputs.js';
import { type Inspectable, withInstruments } from './instrument.js';
import { flatOutput, occludedOutputs, outputAt, sequenceIndex } from './outputs.js';
import { Probe } from './probe.js';
import { findOutputSteps } from './steps.js';

export interface AttributionOptions extends MaskOption, Omit<OutputOptions, 'component'> {
  /**
   * `integratedGradients` (Sundararajan et al. 2017): the mean gradient on the straight line from the baseline to x, times the
   * difference between x and the baseline. The attributions add up to the difference between the two outputs. `occlusion`
   * (Zeiler & Fergus 2014): how much the output falls if one step, or one feature at all steps, is replaced by the baseline.
   * Default `integratedGradients`.
   */
  method?: 'integratedGradients' | 'occlusion';
  /**
   * Index of the number in the output. Default: for each sequence, the index of the largest number (for a classifier, the
   * predicted class).
   */
  component?: number;
  /** One number for each feature, or one for all. Default 0. The baseline of ids is the zero vector. */
  baseline?: number | readonly number[];
  /** Number of points of the quadrature on the line (Gauss-Legendre). Default 32. */
  points?: number;
  /** Index of the input of the model. Default: the only input with a time axis. */
  input?: number;
}

export interface Attribution {
  method: 'integratedGradients' | 'occlusion';
  /** The step of the output, for each sequence. */
  steps: Int32Array;
  /** The index of the number in the output, for each sequence. */
  component: Int32Array;
  /** The number at index `component` of the output for x, [B]. */
  output: Float64Array;
  /** The number at index `component` of the output for the baseline, [B]. */
  baselineOutput: Float64Array;
  /** Attributions of each step and feature, [B, T, F]; null for occlusion and for ids. */
  values: DataArray | null;
  /** Attributions of each step, [B, T]. */
  bySteps: DataArray;
  /** Attributions of each feature, [B, F]; null for ids. */
  byFeatures: DataArray | null;
  /**
   * For integrated gradients: the sum of the attributions minus the difference of the outputs, [B]. A large gap means that the
   * output is not smooth along the line: increase `points`. Null for occlusion.
   */
  gap: Float64Array | null;
}

/**
 * Returns how much each step and feature of an input contributes to one number of the output.
 * @param x one batch [B, T, F], or ids [B, T] for a model with an embedding
 * @throws UnrollError `value` for invalid options, if the option `input` is missing for a model with several sequences, and for an
 *   input without a time axis
 */
export async function attribution(
  model: Inspectable,
  x: ModelInput,
  options: AttributionOptions = {},
): Promise<Attribution> {
  checkOptions('attribution', options, {
    ...{ method: ['integratedGradients', 'occlusion'], baseline: true, points: 'count' },
    ...{ input: 'nonNegativeInteger', mask: true, ...OUTPUT_OPTIONS },
  } as const);
  const { method = 'integratedGradients', output = 0 } = options;
  const subject = subjectOf(model, 'attribution');
  const inputs = await inputsOf(x, options, 'attribution');
  subject.network.build(inputs.sequences.map(({ value }) => [-1, ...value.shape.slice(1)]));
  const input = sequenceIndex(inputs, options.input, 'attribution');
  const { value } = inputs.sequences[input];
  const width = value.rank >= 3 ? value.size / (value.shape[0] * value.shape[1]) : 1;
  const baseline = baselineOf(options.baseline ?? 0, width);
  const steps = findOutputSteps(subject, inputs, options);
  const original = await outputAt(subject, inputs, steps, output);
  const component = componentsOf(original, options.component);
  const call: AttributionCall = {
    ...{ subject, inputs, input, x: await value.data(), steps, component, output, baseline, width },
  };
  return method === 'occlusion' ? occlude(call, original) : integrate(call, original, options.points ?? 32);
}

/** The arguments of both methods. */
interface AttributionCall {
  subject: Subject;
  inputs: Inputs;
  /** Index of the input whose steps and features get attributions. */
  input: number;
  /** The values of this input. */
  x: FloatArray;
  steps: Int32Array;
  component: Int32Array;
  /** Index of the output of the model. */
  output: number;
  baseline: Float64Array;
  /** Number of features. */
  width: number;
}

function baselineOf(given: number | readonly number[], width: number): Float64Array {
  if (typeof given === 'number') return new Float64Array(width).fill(given);
  if (given.length === width) return Float64Array.from(given);
  throw valueError(
    `attribution: baseline must have ${width} numbers, one for each feature, got ${given.length}.`,
  );
}

/** Returns for each sequence the index of the number to attribute: `fixed`, or the index of the largest number. */
function componentsOf({ shape, values }: DataArray, fixed: number | undefined): Int32Array {
  const [B, D] = shape;
  if (fixed !== undefined && fixed >= D)
    throw valueError(`component must be an index below ${D}, the width of the output, got ${fixed}.`);
  return Int32Array.from({ length: B }, (_, b) => {
    if (fixed !== undefined) return fixed;
    let best = 0;
    for (let d = 1; d < D; d++) if (values[b * D + d] > values[b * D + best]) best = d;
    return best;
  });
}

/** Returns the number at the index component[b] of each row b. */
const selectComponents = ({ shape, values }: DataArray, component: Int32Array): Float64Array =>
  Float64Array.from(component, (c, b) => values[b * shape[1] + c]);

/**
 * Returns the inputs at a point of the line from the baseline (alpha 0) to x (alpha 1). Ids are unchanged: the callers multiply
 * the vectors of the ids by alpha.
 */
function inputsAt({ inputs, input, x, baseline, width }: AttributionCall, alpha: number): Inputs {
  const { value } = inputs.sequences[input];
  if (value.rank < 3) return inputs;
  const values = x.map((xi, i) => baseline[i % width] + alpha * (xi - baseline[i % width]));
  const sequences = inputs.sequences.map((sequence, i) =>
    i === input ? { ...sequence, value: hostTensor(values, value.shape) } : sequence,
  );
  return { sequences, count: inputs.count };
}

/** Computes integrated gradients. */
async function integrate(call: AttributionCall, original: DataArray, points: number): Promise<Attribution> {
  const { inputs, input, x, baseline, width, component, steps } = call;
  const { value } = inputs.sequences[input];
  const [B, T] = value.shape;
  const isIds = value.rank < 3;
  const total = isIds ? zerosOf([B, T]) : zerosOf([B, T, width]);
  const { nodes, weights } = gaussLegendre(points);
  for (let n = 0; n < points; n++) {
    const gradients = await gradientsAt(call, nodes[n]);
    for (let i = 0; i < total.values.length; i++) {
      const distance = isIds ? 1 : x[i] - baseline[i % width];
      total.values[i] += weights[n] * gradients.values[i] * distance;
    }
  }
  const output = selectComponents(original, component);
  const baselineOutput = selectComponents(await outputAtBaseline(call), component);
  const sums = sumBy(total, B, (i) => Math.floor(i / (total.values.length / B)));
  return {
    ...{ method: 'integratedGradients', steps, component, output, baselineOutput },
    values: isIds ? null : total,
    bySteps: { shape: [B, T], values: sumBy(total, B * T, (i) => Math.floor(i / width)) },
    byFeatures: isIds
      ? null
      : {
          shape: [B, width],
          values: sumBy(total, B * width, (i) => Math.floor(i / (T * width)) * width + (i % width)),
        },
    gap: sums.map((sum, b) => sum - (output[b] - baselineOutput[b])),
  };
}

function sumBy({ values }: DataArray, count: number, groupOf: (i: number) => number): Float64Array {
  const sums = new Float64Array(count);
  values.forEach((value, i) => {
    sums[groupOf(i)] += value;
  });
  return sums;
}

/** Returns the outputs for the baseline. */
async function outputAtBaseline(call: AttributionCall): Promise<DataArray> {
  const { subject, inputs, input, steps, output } = call;
  const { value } = inputs.sequences[input];
  return outputAt(subject, inputsAt(call, 0), steps, output, {
    onEmbedding: (_layer, ids, vectors) => (ids === value ? mul(vectors, 0) : vectors),
  });
}

/**
 * Returns the gradients with respect to x at a point of the line, [B, T, F]; for ids, the dot products of the gradients and the
 * vectors of the ids, [B, T].
 */
async function gradientsAt(call: AttributionCall, alpha: number): Promise<DataArray> {
  const { subject, input, steps, component, output } = call;
  const { sequences } = inputsAt(call, alpha);
  const probe = new Probe();
  const { value } = sequences[input];
  let vectorsOfIds: { leaf: Tensor; vectors: Tensor } | null = null;
  if (value.rank >= 3) probe.track(value);
  const { network, changes } = subject;
  const onEmbedding = (_layer: unknown, ids: Tensor, vectors: Tensor): Tensor => {
    if (ids !== value) return vectors;
    const leaf = mul(vectors, alpha);
    probe.track(leaf);
    vectorsOfIds = { leaf, vectors };
    return leaf;
  };
  const gradients = withInstruments(network, { changes, onEmbedding }, () => {
    const scalar = probe.recordDuring(() => {
      const flat = flatOutput(network.forward(sequences, inferenceContext())[output].value, steps);
      return sum(mul(flat, oneHot(component, flat.shape[1])));
    });
    const found = probe.gradients(scalar);
    if (!vectorsOfIds) return found.get(value) ?? hostTensor(new Float64Array(value.size), value.shape);
    const { leaf, vectors } = vectorsOfIds;
    const gradient = found.get(leaf);
    if (!gradient) return hostTensor(new Float64Array(value.size), value.shape);
    return sum(mul(gradient, vectors), -1);
  });
  return readArray(gradients);
}

function oneHot(component: Int32Array, D: number): Tensor {
  const values = new Float64Array(component.length * D);
  component.forEach((c, b) => {
    values[b * D + c] = 1;
  });
  return hostTensor(values, [component.length, D]);
}

/** Computes how much the output falls if a step, or a feature at all steps, is replaced by the baseline. */
async function occlude(call: AttributionCall, original: DataArray): Promise<Attribution> {
  const { subject, inputs, input, steps, component, output, baseline, width } = call;
  const { value } = inputs.sequences[input];
  const [B, T] = value.shape;
  const isIds = value.rank < 3;
  const outputs = selectComponents(original, component);
  const bySteps = zerosOf([B, T]);
  const byFeatures = zerosOf([B, width]);
  for (let row = 0; row < B; row++) {
    const occlusion = { subject, inputs, input, row, step: steps[row], output, baseline };
    const fill = async (target: DataArray, count: number, axis: 'steps' | 'features'): Promise<void> => {
      const found = await occludedOutputs(
        occlusion,
        Array.from({ length: count }, (_, part) => [part]),
        axis,
      );
      for (let part = 0; part < count; part++)
        target.values[row * count + part] =
          outputs[row] - found.values[part * found.shape[1] + component[row]];
    };
    await fill(bySteps, T, 'steps');
    if (!isIds) await fill(byFeatures, width, 'features');
  }
  return {
    ...{ method: 'occlusion', steps, component, output: outputs, values: null, bySteps, gap: null },
    baselineOutput: selectComponents(await outputAtBaseline(call), component),
    byFeatures: isIds ? null : byFeatures,
  };
}

/** Returns the nodes and weights of Gauss-Legendre quadrature on [0, 1], by Newton's method on the Legendre polynomial. */
export function gaussLegendre(n: number): { nodes: Float64Array; weights: Float64Array } {
  const nodes = new Float64Array(n);
  const weights = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    let x = Math.cos((Math.PI * (i + 0.75)) / (n + 0.5));
    let derivative = 1;
    for (let iteration = 0; iteration < 100; iteration++) {
      let [previous, current] = [1, x];
      for (let k = 2; k <= n; k++)
        [previous, current] = [current, ((2 * k - 1) * x * current - (k - 1) * previous) / k];
      derivative = n === 1 ? 1 : (n * (x * current - previous)) / (x * x - 1);
      const step = (n === 1 ? x : current) / derivative;
      x -= step;
      if (Math.abs(step) < 1e-15) break;
    }
    nodes[i] = (1 - x) / 2;
    weights[i] = 1 / ((1 - x * x) * derivative * derivative);
  }
  return { nodes, weights };
}
