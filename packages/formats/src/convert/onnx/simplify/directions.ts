/**
 * Recognises how exporters write the two directions of a Bidirectional layer: their concatenation, sum, mean or product. Each
 * rule returns true if it has changed the graph.
 */
import type { Reference } from '../values.js';
import { type LayerGraph, operationAt } from './graph.js';

/** A part of the last axis of a tensor: the elements from `start` to `start + width`. */
interface Part {
  source: Reference;
  start: number;
  width: number;
  /** The nodes between the source and the part. */
  path: readonly number[];
}

/** Applies the rules of this file to a node. */
export function mergeDirections(graph: LayerGraph, at: number): boolean {
  const { className } = graph.layer(at);
  if (className === 'Concatenate') return joinParts(graph, at) || joinFinalSteps(graph, at);
  if (className === 'Add') return mergeHalves(graph, at, 'sum');
  if (className === 'Multiply') return mergeHalves(graph, at, 'mul');
  return mergeMean(graph, at) || skipConcatenation(graph, at);
}

/** Replaces a Concatenate of all parts of a tensor, in order, by that tensor. */
function joinParts(graph: LayerGraph, at: number): boolean {
  const { inputs } = graph.node(at);
  const parts = inputs.map((ref) => partOf(graph, ref));
  const [first] = parts;
  if (!first || !isLastAxis(graph, at, inputs[0])) return false;
  let end = 0;
  for (const part of parts) {
    if (!part || !isSameTensor(part.source, first.source) || part.start !== end) return false;
    end += part.width;
  }
  if (end !== widthOf(graph, first.source)) return false;
  graph.replace(at, first.source);
  return true;
}

/** Sets the merge mode of a Bidirectional layer if only the sum or the product of its two directions is read. */
function mergeHalves(graph: LayerGraph, at: number, mergeMode: string): boolean {
  const pair = graph.node(at).inputs.map((ref) => partOf(graph, ref));
  const layer = bidirectionalOf(graph, pair);
  if (!layer || !haveNoOtherReaders(graph, pair as Part[], at)) return false;
  layer.config.mergeMode = mergeMode;
  graph.replace(at, (pair[0] as Part).source);
  return true;
}

/** If the sum of the directions is divided by 2, changes the merge mode from `sum` to `ave`, and removes the division. */
function mergeMean(graph: LayerGraph, at: number): boolean {
  const [input] = graph.node(at).inputs;
  if (!input) return false;
  const operandsOf = (operation: string): unknown[] =>
    (operationAt(graph, [at, 0], operation)?.operands as unknown[] | undefined) ?? [];
  const layer = graph.layer(input[0]);
  if (layer.className !== 'Bidirectional' || layer.config.mergeMode !== 'sum' || !graph.isReadOnce(input[0]))
    return false;
  const isMean = operandsOf('divide')[1] === 2 || operandsOf('multiply').includes(0.5);
  if (!isMean) return false;
  layer.config.mergeMode = 'ave';
  graph.replace(at, input);
  return true;
}

/** Replaces a part of a concatenation by an input of the Concatenate if the part is exactly this input. */
function skipConcatenation(graph: LayerGraph, at: number): boolean {
  const part = partOf(graph, [at, 0]);
  const source = part && graph.layer(part.source[0]);
  if (source?.className !== 'Concatenate' || part?.source[1] !== 0) return false;
  const { inputs } = graph.node(part.source[0]);
  if (!isLastAxis(graph, part.source[0], inputs[0])) return false;
  let start = 0;
  for (const ref of inputs) {
    const width = widthOf(graph, ref);
    if (width === null) return false;
    if (start === part.start && width === part.width) {
      graph.replace(at, ref);
      return true;
    }
    start += width;
  }
  return false;
}

/**
 * Replaces the concatenation of the last step of the first direction and the first step of the second direction by a
 * Bidirectional layer without `returnSequences`.
 */
function joinFinalSteps(graph: LayerGraph, at: number): boolean {
  const { inputs } = graph.node(at);
  if (inputs.length !== 2) return false;
  const steps = inputs.map((ref) => stepOf(graph, ref));
  const [first, second] = steps;
  if (first?.step !== -1 || second?.step !== 0) return false;
  const pair = [first.half, second.half];
  const layer = bidirectionalOf(graph, pair);
  if (!layer || first.half.start !== 0 || !haveNoOtherReaders(graph, pair, at)) return false;
  for (const inner of [layer.config.layer, layer.config.backwardLayer] as { config: object }[])
    Object.assign(inner.config, { returnSequences: false });
  graph.replace(at, first.half.source);
  return true;
}

/**
 * For a tensor [batch, features / 2] that was selected from a sequence [batch, steps, features], returns the half of the
 * features and the step. The step may have been selected before or after the half. Returns null for other tensors.
 */
function stepOf(graph: LayerGraph, ref: Reference): { half: Part; step: number } | null {
  const taken = operationAt(graph, ref, 'take');
  const [input] = graph.node(ref[0]).inputs;
  if (taken?.axis === 1 && typeof taken.indices === 'number') {
    const half = partOf(graph, input);
    return half && { half: { ...half, path: [...half.path, ref[0]] }, step: taken.indices };
  }
  const slice = operationAt(graph, ref, 'slice');
  const step = slice?.axis === 1 ? operationAt(graph, input, 'take') : null;
  if (!slice || step?.axis !== 1 || typeof step.indices !== 'number') return null;
  const [source] = graph.node(input[0]).inputs;
  const width = widthOf(graph, source);
  if (width === null) return null;
  const { start, width: partWidth } = boundsOf(slice, width);
  return { half: { source, start, width: partWidth, path: [input[0], ref[0]] }, step: step.indices };
}

/** If two parts are the directions of a Bidirectional layer with merge mode `concat`, returns this layer; otherwise null. */
function bidirectionalOf(
  graph: LayerGraph,
  pair: readonly (Part | null)[],
): { config: Record<string, unknown> } | null {
  const [a, b] = pair;
  if (pair.length !== 2 || !a || !b || !isSameTensor(a.source, b.source) || a.start === b.start) return null;
  const layer = graph.layer(a.source[0]);
  const width = widthOf(graph, a.source);
  const isSplit = [a, b].every((half) => half.width * 2 === width);
  const { mergeMode = 'concat', layer: inner } = layer.config;
  const { returnState } = (inner as { config?: { returnState?: boolean } } | undefined)?.config ?? {};
  const isPlain = layer.className === 'Bidirectional' && mergeMode === 'concat' && a.source[1] === 0;
  return isPlain && isSplit && !returnState ? layer : null;
}

/** Returns true if only node `at` and the nodes on the paths of the parts read the source of the parts and the nodes on these paths. */
function haveNoOtherReaders(graph: LayerGraph, parts: readonly Part[], at: number): boolean {
  const allowedReaders = new Set([at, ...parts.flatMap(({ path }) => path)]);
  const nodes = [parts[0].source[0], ...parts.flatMap(({ path }) => path)];
  return nodes.every((node) => graph.readers(node).every((reader) => allowedReaders.has(reader)));
}

const isSameTensor = (a: Reference, b: Reference): boolean => a[0] === b[0] && a[1] === b[1];

/** Returns the part of a tensor that a `slice` or a `take` from a reshaped tensor selects; null for other layers. */
function partOf(graph: LayerGraph, ref: Reference): Part | null {
  const slice = operationAt(graph, ref, 'slice');
  const [input] = graph.node(ref[0]).inputs;
  if (slice) {
    const [width, rank] = [widthOf(graph, input), rankOf(graph, input)];
    if (width === null || rank === null || slice.axis !== rank - 1) return null;
    return { source: input, ...boundsOf(slice, width), path: [ref[0]] };
  }
  const take = operationAt(graph, ref, 'take');
  const shape = take && reshapeOf(graph, input);
  if (!shape) return null;
  const [count, width] = shape.slice(-2);
  const [source] = graph.node(input[0]).inputs;
  if (typeof count !== 'number' || typeof width !== 'number' || typeof take?.indices !== 'number')
    return null;
  if (take.axis !== shape.length - 1 || widthOf(graph, source) !== count * width) return null;
  const index = take.indices < 0 ? take.indices + count : take.indices;
  return { source, start: index * width, width, path: [input[0], ref[0]] };
}

function boundsOf({ start = 0, end = Infinity }: Record<string, unknown>, width: number) {
  const limit = (at: number): number => Math.min(Math.max(at < 0 ? at + width : at, 0), width);
  const [from, to] = [limit(Number(start)), limit(Number(end))];
  return { start: from, width: to - from };
}

/** Returns the shape, without the batch, to which a layer reshapes its input; null for other layers. */
function reshapeOf(graph: LayerGraph, ref: Reference): readonly unknown[] | null {
  const { className, config } = graph.layer(ref[0]);
  if (className === 'Reshape') return config.targetShape as number[];
  const operation = operationAt(graph, ref, 'reshape');
  return operation ? (operation.shape as unknown[]) : null;
}

function isLastAxis(graph: LayerGraph, at: number, input: Reference): boolean {
  const { axis = -1 } = graph.layer(at).config;
  return axis === -1 || axis === (rankOf(graph, input) ?? 0) - 1;
}

const RECURRENT = /^(SimpleRNN|LSTM|GRU|PeepholeLSTM|CoupledLSTM|General(RNN|LSTM|GRU))$/;

/** Returns the config of a recurrent layer, or of the first direction of a Bidirectional layer; null for other layers. */
function recurrentConfig(graph: LayerGraph, [at]: Reference): Record<string, unknown> | null {
  const { className, config } = graph.layer(at);
  if (className === 'Bidirectional') return (config.layer as { config: Record<string, unknown> }).config;
  return RECURRENT.test(className) ? config : null;
}

/** Returns the size of the last axis of a tensor; null if it is unknown. */
function widthOf(graph: LayerGraph, ref: Reference, depth = 8): number | null {
  const { className, config } = graph.layer(ref[0]);
  const recurrent = recurrentConfig(graph, ref);
  if (recurrent) {
    const { mergeMode = 'concat' } = config;
    const isDouble = className === 'Bidirectional' && ref[1] === 0 && mergeMode === 'concat';
    return Number(recurrent.units) * (isDouble ? 2 : 1);
  }
  if (className === 'Dense') return Number(config.units);
  const { inputs } = graph.node(ref[0]);
  if (depth === 0) return null;
  if (className === 'Concatenate' && isLastAxis(graph, ref[0], inputs[0])) {
    const widths = inputs.map((input) => widthOf(graph, input, depth - 1));
    return widths.reduce((sum, width) => (sum === null || width === null ? null : sum + width), 0);
  }
  return className === 'Activation' ? widthOf(graph, inputs[0], depth - 1) : null;
}

/** Returns the number of axes of a tensor; null if it is unknown. */
function rankOf(graph: LayerGraph, ref: Reference, depth = 8): number | null {
  const recurrent = recurrentConfig(graph, ref);
  if (recurrent) return recurrent.returnSequences && ref[1] === 0 ? 3 : 2;
  const { className, config } = graph.layer(ref[0]);
  if (className === 'InputLayer') return (config.shape as unknown[]).length + 1;
  const shape = reshapeOf(graph, ref);
  if (shape) return shape.length + 1;
  const keepsRank = ['Dense', 'Activation', 'Concatenate', 'Add', 'Multiply'].includes(className);
  const isTaken = typeof operationAt(graph, ref, 'take')?.indices === 'number';
  if (depth === 0 || !(keepsRank || isTaken || operationAt(graph, ref, 'slice'))) return null;
  const rank = rankOf(graph, graph.node(ref[0]).inputs[0], depth - 1);
  return rank === null ? null : rank - Number(isTaken);
}
