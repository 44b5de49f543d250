/**
 * Recognises a simple RNN that an exporter has written step by step: with dynamo=True, torch.onnx.export writes nn.RNN as
 * h_t = f(x_t W + b + h_{t-1} U), with separate nodes for each step.
 */
import type { FloatArray } from '@unroll/core';
import type { Reference } from '../values.js';
import { type LayerGraph, operationAt } from './graph.js';

/** The steps of a recurrence, found from its last state. */
interface Recurrence {
  /** The node of the dense layer that computes x W + b for all steps. */
  dense: number;
  activation: string;
  /** The nodes of the states, in the order of the steps. */
  states: number[];
  /** U and the bias that is added with it. Only the first step may have none (null). */
  recurrent: { kernel: FloatArray; bias: FloatArray | null } | null;
}

/** Replaces a Concatenate of all states of a recurrence, or its last state if no other is read, by a SimpleRNN. */
export function unrolledRecurrence(graph: LayerGraph, at: number): boolean {
  const { className, config } = graph.layer(at);
  if (className === 'Activation') {
    if (hasSuccessor(graph, at)) return false;
    const found = recurrenceTo(graph, at);
    // If the last state is also an input of a Concatenate of all states, the Concatenate is replaced instead (below).
    const isLast = graph.readers(at).every((node) => node < 0 || vectorOf(graph, [node, 0]) === null);
    return found !== null && isLast && replace(graph, at, found, false);
  }
  if (className !== 'Concatenate' || config.axis !== 1) return false;
  const states = graph.node(at).inputs.map((ref) => vectorOf(graph, ref));
  const last = states[states.length - 1];
  if (last === null || last === undefined) return false;
  const found = recurrenceTo(graph, last, states.length);
  if (!found || found.states.some((state, t) => state !== states[t]) || found.states.length !== states.length)
    return false;
  return replace(graph, at, found, true);
}

/** Returns the node of a vector [batch, units] that a layer reshapes to [batch, 1, units]; null for another layer. */
function vectorOf(graph: LayerGraph, ref: Reference): number | null {
  const shape = operationAt(graph, ref, 'reshape')?.shape as readonly unknown[] | undefined;
  if (shape?.length !== 2 || shape[0] !== 1) return null;
  const [[node, output]] = graph.node(ref[0]).inputs;
  return output === 0 ? node : null;
}

/** Returns true if the node is a state from which the next state is computed, so it is not the last one. */
function hasSuccessor(graph: LayerGraph, at: number): boolean {
  const kernel = termsOf(graph, at)?.recurrent?.kernel;
  return graph.readers(at).some((node) => node >= 0 && kernel && graph.weight(node, 'kernel') === kernel);
}

/**
 * Follows a recurrence back from its last state to its first step. Returns null if the node `last` is not the last state of a
 * recurrence, or if the recurrence has only one state or more than `maxStates`.
 */
function recurrenceTo(graph: LayerGraph, last: number, maxStates = Infinity): Recurrence | null {
  const { activation } = graph.layer(last).config;
  if (activation !== 'tanh' && activation !== 'relu') return null;
  const states: number[] = [];
  const steps: number[] = [];
  let [dense, recurrent]: [number, Recurrence['recurrent']] = [-1, null];
  for (let at: number | null = last; at !== null; ) {
    const { className, config } = graph.layer(at);
    const term: Terms | null =
      className === 'Activation' && config.activation === activation ? termsOf(graph, at) : null;
    if (!term || (dense >= 0 && term.dense !== dense)) return null;
    dense = term.dense;
    states.push(at);
    steps.push(term.step);
    if (states.length > maxStates) return null;
    if (recurrent && !sameRecurrent(recurrent, term.recurrent, term.previous === null)) return null;
    recurrent ??= term.recurrent;
    at = term.previous;
  }
  states.reverse();
  steps.reverse();
  const isComplete = steps.every((step, t) => step === t) && stepsOf(graph, [dense, 0]) === steps.length;
  return isComplete && steps.length > 1 ? { dense, activation, states, recurrent } : null;
}

/** Returns true if two steps have the same U and bias. At the first step, only the bias is compared, because h is 0. */
function sameRecurrent(
  a: NonNullable<Recurrence['recurrent']>,
  b: Recurrence['recurrent'],
  isFirst: boolean,
): boolean {
  const equal = (p: FloatArray | null, q: FloatArray | null): boolean =>
    p === q || Array.from(p ?? q ?? []).every((value, i) => value === (p && q ? q[i] : 0));
  return (isFirst || a.kernel === b?.kernel) && equal(a.bias, b?.bias ?? null);
}

interface Terms {
  dense: number;
  step: number;
  /** The node of the previous state; null: this is the first step. */
  previous: number | null;
  recurrent: Recurrence['recurrent'];
}

/** Returns the terms of a state: a step of a dense layer, and the previous state or a constant; null for other nodes. */
function termsOf(graph: LayerGraph, at: number): Terms | null {
  const [sum] = graph.node(at).inputs;
  const first = stepOf(graph, sum);
  if (first) return { ...first, previous: null, recurrent: null };
  const { inputs } = graph.node(sum[0]);
  const constant = operationAt(graph, sum, 'add') && inputs.length === 1;
  if (constant) {
    const step = stepOf(graph, inputs[0]);
    const bias = [0, 1].map((i) => graph.weight(sum[0], `operand_${i}`)).find((value) => value !== null);
    // The first step has no U, so `kernel` is only a placeholder: `sameRecurrent` compares only the bias of the first step.
    return step && bias ? { ...step, previous: null, recurrent: { kernel: bias, bias } } : null;
  }
  if (graph.layer(sum[0]).className !== 'Add' || inputs.length !== 2) return null;
  for (const [a, b] of [inputs, [inputs[1], inputs[0]]]) {
    const step = stepOf(graph, a);
    const kernel = step && isLinear(graph, b) ? graph.weight(b[0], 'kernel') : null;
    if (!step || !kernel) continue;
    const [previous] = graph.node(b[0]).inputs;
    return { ...step, previous: previous[0], recurrent: { kernel, bias: graph.weight(b[0], 'bias') } };
  }
  return null;
}

const isLinear = (graph: LayerGraph, [at]: Reference): boolean => {
  const { className, config } = graph.layer(at);
  return className === 'Dense' && config.activation === undefined;
};

/** If a tensor [batch, units] is one step of a dense layer's output, returns the layer and the step; otherwise null. */
function stepOf(graph: LayerGraph, ref: Reference): { dense: number; step: number } | null {
  const [input] = graph.node(ref[0]).inputs;
  const take = operationAt(graph, ref, 'take');
  if (take?.axis === 1 && typeof take.indices === 'number' && isLinear(graph, input))
    return { dense: input[0], step: take.indices };
  const shape = operationAt(graph, ref, 'reshape')?.shape as readonly { axis?: number }[] | undefined;
  const slice = shape?.length === 1 && shape[0].axis === 2 ? operationAt(graph, input, 'slice') : null;
  if (slice?.axis !== 1) return null;
  const { start, end = Number(start) + 1 } = slice;
  const [source] = graph.node(input[0]).inputs;
  if (Number(end) - Number(start) !== 1 || !isLinear(graph, source)) return null;
  return { dense: source[0], step: Number(start) };
}

/** Stepwise layers: they compute each step of their output from the same step of their input. */
const STEPWISE = /^(Dense|Activation|LayerNormalization|BatchNormalization|Dropout|Embedding)$/;

/** Returns the number of steps of a sequence; null if it is unknown. */
function stepsOf(graph: LayerGraph, [at]: Reference): number | null {
  for (let node = at, depth = 0; depth < 64; depth++) {
    const { className, config } = graph.layer(node);
    if (className === 'InputLayer') return (config.shape as (number | null)[])[0];
    if (className === 'RepeatVector') return Number(config.n);
    const [input] = graph.node(node).inputs;
    const inner = (config.layer as { config?: Record<string, unknown> } | undefined)?.config ?? config;
    const keepsSteps = STEPWISE.test(className) || inner.returnSequences === true;
    if (!input || (!keepsSteps && operationAt(graph, [node, 0], 'reverse')?.axis !== 1)) return null;
    node = input[0];
  }
  return null;
}

/** Replaces the node at the end of a recurrence by a SimpleRNN. Returns false if U is not a matrix [units, units]. */
function replace(
  graph: LayerGraph,
  at: number,
  { dense, activation, recurrent }: Recurrence,
  returnSequences: boolean,
): boolean {
  const kernel = graph.weight(dense, 'kernel');
  const U = recurrent?.kernel;
  const units = Number(graph.layer(dense).config.units);
  if (!kernel || U?.length !== units * units) return false;
  const biases = [graph.weight(dense, 'bias'), recurrent?.bias ?? null].filter((bias) => bias !== null);
  const bias = biases.length > 0 ? biases.reduce((a, b) => a.map((value, i) => value + b[i])) : null;
  const options = { units, useBias: bias !== null, ...(activation !== 'tanh' && { activation }) };
  graph.change(at, 'SimpleRNN', { ...options, returnSequences }, graph.node(dense).inputs, {
    kernel: { shape: [kernel.length / units, units], values: kernel },
    recurrent_kernel: { shape: [units, units], values: U },
    ...(bias && { bias: { shape: [units], values: bias } }),
  });
  return true;
}
