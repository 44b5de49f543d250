/**
 * Batches that shrink over time. The rows are sorted by length, and time is divided into segments. Each segment runs only
 * the rows that have steps in it, so short sequences cost little in a batch with long ones. PyTorch's packed sequences
 * work similarly, with segments of one step. Here, segments are longer: up to 30 % of the rows of a segment may end before
 * the segment does, and are masked. In a backward layer, the batch grows: a row joins, with its initial state, in the
 * segment in which its sequence ends.
 */
import { asTensor, broadcastTo, concat, gather, reshape, slice, type Tensor, zeros } from '@unroll/core';
import type { CellMasks, CellState, SequenceContext, SequenceResult, StepContext } from './cells/cell.js';
import { lengthMask } from './masks.js';
import { mapValues } from './memory.js';
import type { PackedCall } from './packing.js';

/** The time steps `from` to `to` - 1. */
export interface Segment {
  from: number;
  to: number;
  /** The segment runs the first `rows` of the sorted rows. */
  rows: number;
}

/** A new segment begins when this fraction of the segment's rows (or less) has steps left. */
const NEW_SEGMENT_FRACTION = 0.7;

/** Number of floating-point operations of the forward pass that an additional segment must save (measured). */
const MIN_SAVING = 1.5e7;

/** Returns segments for rows with these lengths; null if a single masked run is as fast. */
export function worthwhileSegments(
  lengths: Uint32Array,
  steps: number,
  parameterCount: number,
): Segment[] | null {
  const sorted = lengths.toSorted((a, b) => b - a);
  const segments: Segment[] = [];
  let computedSteps = 0;
  for (let from = 0; from < steps; ) {
    // The first segment has all rows, including those without any step.
    const rows = from === 0 ? sorted.length : sorted.findLastIndex((length) => length > from) + 1;
    let active = rows;
    let to = from + 1;
    for (; to < steps; to++) {
      while (sorted[active - 1] <= to) active--;
      if (active <= NEW_SEGMENT_FRACTION * rows) break;
    }
    segments.push({ from, to, rows });
    computedSteps += rows * (to - from);
    from = to;
  }
  const saving = 2 * parameterCount * (sorted.length * steps - computedSteps);
  return segments.length > 1 && saving > MIN_SAVING * segments.length ? segments : null;
}

/** Runs the segments. The result equals that of a single masked run. */
export function runShrinking(
  { x, state, context, run }: PackedCall & { state: CellState },
  lengths: Uint32Array,
  segments: readonly Segment[],
): SequenceResult {
  const order = Array.from(lengths.keys()).sort((a, b) => lengths[b] - lengths[a]);
  const sorted = order.map((row) => lengths[row]);
  const initial = mapValues(state, (tensor) => reorderRows(tensor, order));
  const inputs = splitInputs(reorderRows(x, order), segments);
  const sortedContext = mapContext(context, (tensor) => reorderRows(tensor, order));
  const runSegment = (segment: Segment, previous: CellState): SequenceResult =>
    run(inputs[segments.indexOf(segment)], previous, {
      ...context,
      ...mapContext(sortedContext, (tensor) => firstRows(tensor, segment.rows)),
      mask: segmentMask(sorted, segment),
    });
  const result = (context.reverse ? runBackwards : runForwards)(initial, segments, context, runSegment);
  const inverse = order.map((_, row) => order.indexOf(row));
  return {
    y: reorderRows(result.y, inverse),
    state: mapValues(result.state, (tensor) => reorderRows(tensor, inverse)),
  };
}

/**
 * Returns the part of x for each segment. Each part is sliced from the remainder of the previous one instead of from x,
 * which makes the gradient faster.
 */
function splitInputs(x: Tensor, segments: readonly Segment[]): Tensor[] {
  let remainder = x;
  return segments.map((segment) => {
    const active = firstRows(remainder, segment.rows);
    const steps = segment.to - segment.from;
    remainder = slice(active, 1, steps);
    return slice(active, 1, 0, steps);
  });
}

type RunSegment = (segment: Segment, previous: CellState) => SequenceResult;

/** Runs the segments from first to last. Rows leave the batch when they end; their final states are kept. */
function runForwards(
  initial: CellState,
  segments: readonly Segment[],
  { returnSequences, zeroOutputForMask }: SequenceContext,
  runSegment: RunSegment,
): SequenceResult {
  let state = initial; // the states of all rows, including those that have ended
  let lastY: Tensor | null = null; // the last outputs of all rows
  const outputs: Tensor[] = [];
  for (const segment of segments) {
    const { rows, from, to } = segment;
    const { y, state: nextState } = runSegment(
      segment,
      mapValues(state, (tensor) => firstRows(tensor, rows)),
    );
    const activeY: Tensor = returnSequences ? reshape(slice(y, 1, -1), [rows, y.shape[2]]) : y;
    const previousY: Tensor | null = lastY && remainingRows(lastY, rows);
    const endedY = previousY && (zeroOutputForMask ? zeros(previousY.shape) : previousY);
    state = mapValues(nextState, (tensor, name) => concatRows(tensor, remainingRows(state[name], rows)));
    lastY = concatRows(activeY, endedY);
    if (!returnSequences) {
      outputs[0] = lastY;
      continue;
    }
    const [ended, units] = endedY?.shape ?? [];
    const endedOutputs = endedY && broadcastTo(reshape(endedY, [ended, 1, units]), [ended, to - from, units]);
    outputs.push(concatRows(y, endedOutputs));
  }
  return { y: returnSequences ? concat(outputs, 1) : outputs[0], state };
}

/** Runs the segments from last to first. Rows join the batch with their initial states. */
function runBackwards(
  initial: CellState,
  segments: readonly Segment[],
  { returnSequences, timeOrder }: SequenceContext,
  runSegment: RunSegment,
): SequenceResult {
  const batch = segments[0].rows;
  const results: SequenceResult[] = [];
  const outputs: Tensor[] = [];
  for (const segment of segments.toReversed()) {
    const { rows, from, to } = segment;
    const previous = results.at(-1)?.state;
    const active = previous ? Object.values(previous)[0].shape[0] : 0;
    const joiningStates = mapValues(initial, (tensor) => slice(tensor, 0, active, rows));
    const result = runSegment(
      segment,
      previous
        ? mapValues(previous, (tensor, name) => concatRows(tensor, joiningStates[name]))
        : joiningStates,
    );
    results.push(result);
    if (returnSequences)
      outputs.push(concatRows(result.y, zeros([batch - rows, to - from, result.y.shape[2]])));
  }
  const result = results[results.length - 1];
  if (!returnSequences) return result;
  return { y: concat(timeOrder ? outputs.reverse() : outputs, 1), state: result.state };
}

/** Returns the mask of the rows of a segment; null if all of their steps are valid. */
function segmentMask(sorted: readonly number[], { from, to, rows }: Segment): Tensor | null {
  const lengths = sorted.slice(0, rows).map((length) => Math.min(Math.max(length - from, 0), to - from));
  return lengths.every((length) => length === to - from) ? null : lengthMask(lengths, to - from);
}

/** Applies `map` to the tensors of a context that have a batch axis. */
function mapContext(
  { recurrentDropoutMask, inner, constants, prepared }: StepContext,
  map: (tensor: Tensor) => Tensor,
): StepContext {
  const mapTensor = (tensor: Tensor | null): Tensor | null => tensor && map(tensor);
  const mapMasks = (masks: CellMasks): CellMasks => ({
    ...masks, // droppedWeights has no batch axis
    inputMask: mapTensor(masks.inputMask),
    recurrentDropoutMask: mapTensor(masks.recurrentDropoutMask),
    ...(masks.inner && { inner: masks.inner.map(mapMasks) }),
  });
  return {
    recurrentDropoutMask: mapTensor(recurrentDropoutMask),
    ...(inner && { inner: inner.map(mapMasks) }),
    constants: mapValues(constants, ({ value, mask }) => ({ value: map(value), mask: mapTensor(mask) })),
    prepared: mapValues(prepared, map),
  };
}

const firstRows = (x: Tensor, count: number): Tensor => slice(x, 0, 0, count);

/** Returns the rows after the first `count`; null if there are none. */
const remainingRows = (x: Tensor, count: number): Tensor | null =>
  count === x.shape[0] ? null : slice(x, 0, count);

/** Concatenates the rows of two tensors; `second` null: returns `first`. */
function concatRows(first: Tensor, second: Tensor | null): Tensor {
  return second ? concat([first, second], 0) : first;
}

/** Returns the rows of x in the given order. */
function reorderRows(x: Tensor, order: readonly number[]): Tensor {
  if (order.every((row, i) => row === i)) return x;
  const [B, ...rest] = x.shape;
  return reshape(gather(reshape(x, [B, x.size / B]), asTensor([...order])), [B, ...rest]);
}
