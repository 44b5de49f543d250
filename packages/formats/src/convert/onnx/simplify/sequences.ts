/**
 * Recognises nodes that exporters write around layers that read sequences: reversals, padding, repeated vectors, and the
 * selection of the last step. Each rule returns true if it has changed the graph.
 */
import type { Reference } from '../values.js';
import { type LayerGraph, operationAt } from './graph.js';

const RECURRENT = /^(SimpleRNN|LSTM|GRU|PeepholeLSTM|CoupledLSTM|General(RNN|LSTM|GRU))$/;

/** Stepwise layers: they compute each step of their output from the same step of their input. */
const STEPWISE = ['Dense', 'Activation', 'LayerNormalization', 'BatchNormalization', 'Dropout'];

/** Lets a recurrent layer over a reversed sequence go backwards instead, and removes two reversals in succession. */
export function reversedSequence(graph: LayerGraph, at: number): boolean {
  const { inputs, mask } = graph.node(at);
  const isReversed = inputs.length > 0 && operationAt(graph, inputs[0], 'reverse')?.axis === 1;
  if (!isReversed || mask) return false;
  const [source] = graph.node(inputs[0][0]).inputs;
  if (operationAt(graph, [at, 0], 'reverse')?.axis === 1) {
    graph.replace(at, source);
    return true;
  }
  const { className, config } = graph.layer(at);
  if (!RECURRENT.test(className)) return false;
  if (config.goBackwards) delete config.goBackwards;
  else config.goBackwards = true;
  graph.reconnect(at, [source, ...inputs.slice(1)]);
  return true;
}

/** Replaces zero padding at the start of a convolution's input by `causal` padding, and on both sides by `same` padding. */
export function convolutionPadding(graph: LayerGraph, at: number): boolean {
  const { className, config } = graph.layer(at);
  const { inputs } = graph.node(at);
  if (className !== 'Conv1D' || config.padding !== undefined) return false;
  const pad = operationAt(graph, inputs[0], 'pad');
  if (pad?.axis !== 1 || pad.alpha !== undefined) return false;
  const { kernelSize, strides = 1, dilationRate = 1 } = config as Record<string, number>;
  const total = (kernelSize - 1) * dilationRate;
  const { before, after } = pad as Record<string, number>;
  if (before + after !== total) return false;
  if (after === 0) config.padding = 'causal';
  else if (strides === 1 && before === Math.floor(total / 2)) config.padding = 'same';
  else return false;
  graph.reconnect(at, graph.node(inputs[0][0]).inputs);
  return true;
}

/** Removes the rounding of ids towards 0 (Cast in ONNX) before an Embedding layer, because ids are integers already. */
export function roundedIds(graph: LayerGraph, at: number): boolean {
  const { inputs } = graph.node(at);
  if (graph.layer(at).className !== 'Embedding' || !operationAt(graph, inputs[0], 'truncate')) return false;
  graph.reconnect(at, graph.node(inputs[0][0]).inputs);
  return true;
}

/** Replaces the repetition of a vector along a new axis, [batch, n, features], by a RepeatVector layer. */
export function repeatedVector(graph: LayerGraph, at: number): boolean {
  const broadcast = operationAt(graph, [at, 0], 'broadcast')?.shape as readonly unknown[] | undefined;
  const [input] = graph.node(at).inputs;
  if (broadcast?.length !== 2 || typeof broadcast[0] !== 'number' || !isAxis(broadcast[1], 2)) return false;
  const shape = operationAt(graph, input, 'reshape')?.shape as readonly unknown[] | undefined;
  if (shape?.length !== 2 || shape[0] !== 1 || !isAxis(shape[1], 1)) return false;
  graph.change(at, 'RepeatVector', { n: broadcast[0] }, graph.node(input[0]).inputs);
  return true;
}

const isAxis = (extent: unknown, axis: number): boolean =>
  typeof extent === 'object' && extent !== null && (extent as { axis?: number }).axis === axis;

/**
 * Makes a recurrent layer return only its last step if no other step is read. If its sequence is also read elsewhere, replaces
 * the last step by the final state. Stepwise layers after the recurrent layer are applied to the last step only.
 */
export function lastStep(graph: LayerGraph, at: number): boolean {
  const take = operationAt(graph, [at, 0], 'take');
  if (take?.axis !== 1 || (take.indices !== -1 && take.indices !== 0)) return false;
  const [input] = graph.node(at).inputs;
  const reversed = operationAt(graph, input, 'reverse')?.axis === 1;
  const source: Reference = reversed ? graph.node(input[0]).inputs[0] : input;
  // The last step of a reversed sequence is the first one.
  const isLast = (take.indices === -1) !== reversed;
  if (!isLast) return false;
  const { className, config } = graph.layer(source[0]);
  const { inputs, mask } = graph.node(source[0]);
  if (RECURRENT.test(className) && source[1] === 0 && !mask && config.returnSequences === true) {
    const hasNoOtherReader = graph.isReadOnce(source[0]) && (!reversed || graph.isReadOnce(input[0]));
    if (hasNoOtherReader && !config.returnState) config.returnSequences = false;
    else config.returnState = true;
    graph.replace(at, hasNoOtherReader && !config.returnState ? source : [source[0], 1]);
    return true;
  }
  if (reversed || inputs.length !== 1 || !leadsToRecurrent(graph, source)) return false;
  // After the exchange, the node of the stepwise layer selects the step, and this node applies the layer.
  graph.exchange(source[0], at);
  return true;
}

/** Returns true if a tensor is computed from the sequence of a recurrent layer by stepwise layers that are read only once. */
function leadsToRecurrent(graph: LayerGraph, source: Reference): boolean {
  for (let [node, output] = source; ; [[node, output]] = graph.node(node).inputs) {
    const { className, config } = graph.layer(node);
    if (RECURRENT.test(className)) return output === 0 && config.returnSequences === true;
    const isStepwise = STEPWISE.includes(className) && (config.axis ?? -1) === -1;
    if (!isStepwise || !graph.isReadOnce(node)) return false;
  }
}
