/**
 * Batches that shrink over time. The rows are sorted by length, and time is divided into segments; each segment runs
 * with the rows that still have steps in it, so that short sequences cost little in a batch with long ones. (Like
 * PyTorch's packed sequences, but with longer segments: in a segment, up to 30 % of the rows may have ended; they are
 * masked.) In a backward layer the batch grows instead: a row joins, with its initial state, in the segment in which
 * it ends.
 */
import { asTensor, broadcastTo, concat, gather, reshape, slice, type Tensor, zeros } from '@unroll/core';
import type { CellMasks, CellState, SequenceContext, SequenceResult, StepContext } from './cells/cell.js';
import { lengthMask } from './masks.js';
import { mapValues } from './memory.js';
import type { PackedCall } from './packing.js';

export interface Segment {
  from: number;
  to: number;
  /** The number of sorted rows in the segment. */
  rows: number;
}

/** A new segment begins when the share of remaining rows falls to this value. */
const SHRINK = 0.7;

/** The savings that justify an additional segment, in floating-point operations of a forward pass (measured). */
const WORTH = 1.5e7;

/** Segments for rows of these lengths, or null if a single batch is as fast. */
export function worthwhileSegments(lengths: Uint32Array, steps: number, weights: number): Segment[] | null {
  const sorted = lengths.toSorted((a, b) => b - a);
  const segments: Segment[] = [];
  let cost = 0;
  for (let from = 0; from < steps; ) {
    // The first segment has all rows, including those without any step.
    const rows = from === 0 ? sorted.length : sorted.findLastIndex((length) => length > from) + 1;
    let alive = rows;
    let to = from + 1;
    for (; to < steps; to++) {
      while (sorted[alive - 1] <= to) alive--;
      if (alive <= SHRINK * rows) break;
    }
    segments.push({ from, to, rows });
    cost += rows * (to - from);
    from = to;
  }
  const saved = 2 * weights * (sorted.length * steps - cost);
  return segments.length > 1 && saved > WORTH * segments.length ? segments : null;
}

/** Runs the segments. The result is that of one masked run over all rows. */
export function runShrinking(
  { x, state, context, run }: PackedCall & { state: CellState },
  lengths: Uint32Array,
  segments: readonly Segment[],
): SequenceResult {
  const order = Array.from(lengths.keys()).sort((a, b) => lengths[b] - lengths[a]);
  const sorted = order.map((row) => lengths[row]);
  const first = mapValues(state, (part) => pick(part, order));
  const parts = cut(pick(x, order), segments);
  const inOrder = mapContext(context, (part) => pick(part, order));
  const runSegment = (segment: Segment, before: CellState): SequenceResult =>
    run(parts[segments.indexOf(segment)], before, {
      ...context,
      ...mapContext(inOrder, (part) => head(part, segment.rows)),
      mask: maskOf(sorted, segment),
    });
  const result = (context.reverse ? runBackwards : runForwards)(first, segments, context, runSegment);
  const back = order.map((_, row) => order.indexOf(row));
  return { y: pick(result.y, back), state: mapValues(result.state, (part) => pick(part, back)) };
}

/**
 * The part of x in each segment. Each is cut from the remainder of the previous one, so that the gradient visits few
 * elements twice.
 */
function cut(x: Tensor, segments: readonly Segment[]): Tensor[] {
  let rest = x;
  return segments.map((segment) => {
    const alive = head(rest, segment.rows);
    const steps = segment.to - segment.from;
    rest = slice(alive, 1, steps);
    return slice(alive, 1, 0, steps);
  });
}

type RunSegment = (segment: Segment, before: CellState) => SequenceResult;

/** Forwards: rows leave the batch, and their final states are kept. */
function runForwards(
  first: CellState,
  segments: readonly Segment[],
  { returnSequences, zeroOutputForMask }: SequenceContext,
  runSegment: RunSegment,
): SequenceResult {
  let state = first; // of all rows, including the final states of ended ones
  let last: Tensor | null = null; // the last output of all rows
  const outputs: Tensor[] = [];
  for (const segment of segments) {
    const { rows, from, to } = segment;
    const { y, state: after } = runSegment(
      segment,
      mapValues(state, (part) => head(part, rows)),
    );
    const end: Tensor = returnSequences ? reshape(slice(y, 1, -1), [rows, y.shape[2]]) : y;
    const gone: Tensor | null = last && tail(last, rows);
    const idle = gone && (zeroOutputForMask ? zeros(gone.shape) : gone);
    state = mapValues(after, (part, name) => joined(part, tail(state[name], rows)));
    last = joined(end, idle);
    if (!returnSequences) {
      outputs[0] = last;
      continue;
    }
    const [missing, units] = idle?.shape ?? [];
    const still = idle && broadcastTo(reshape(idle, [missing, 1, units]), [missing, to - from, units]);
    outputs.push(joined(y, still));
  }
  return { y: returnSequences ? concat(outputs, 1) : outputs[0], state };
}

/** Backwards: rows join with their initial state. */
function runBackwards(
  first: CellState,
  segments: readonly Segment[],
  { returnSequences, realign }: SequenceContext,
  runSegment: RunSegment,
): SequenceResult {
  const all = segments[0].rows;
  const results: SequenceResult[] = [];
  const outputs: Tensor[] = [];
  for (const segment of segments.toReversed()) {
    const { rows, from, to } = segment;
    const before = results.at(-1)?.state;
    const running = before ? Object.values(before)[0].shape[0] : 0;
    const joins = mapValues(first, (part) => slice(part, 0, running, rows));
    const result = runSegment(
      segment,
      before ? mapValues(before, (part, name) => joined(part, joins[name])) : joins,
    );
    results.push(result);
    if (returnSequences) outputs.push(joined(result.y, zeros([all - rows, to - from, result.y.shape[2]])));
  }
  const result = results[results.length - 1];
  if (!returnSequences) return result;
  return { y: concat(realign ? outputs.reverse() : outputs, 1), state: result.state };
}

/** The mask of a segment's rows; null if all steps of all rows are valid. */
function maskOf(sorted: readonly number[], { from, to, rows }: Segment): Tensor | null {
  const lengths = sorted.slice(0, rows).map((length) => Math.min(Math.max(length - from, 0), to - from));
  return lengths.every((length) => length === to - from) ? null : lengthMask(lengths, to - from);
}

/** The context with a function applied to every tensor that has one row per sequence. */
function mapContext(
  { recurrentMask, inner, constants, prepared }: StepContext,
  map: (part: Tensor) => Tensor,
): StepContext {
  const each = (part: Tensor | null): Tensor | null => part && map(part);
  const masksOf = (masks: CellMasks): CellMasks => ({
    inputMask: each(masks.inputMask),
    recurrentMask: each(masks.recurrentMask),
    ...(masks.inner && { inner: masks.inner.map(masksOf) }),
  });
  return {
    recurrentMask: each(recurrentMask),
    ...(inner && { inner: inner.map(masksOf) }),
    constants: mapValues(constants, ({ value, mask }) => ({ value: map(value), mask: each(mask) })),
    prepared: mapValues(prepared, map),
  };
}

const head = (x: Tensor, rows: number): Tensor => slice(x, 0, 0, rows);
const tail = (x: Tensor, rows: number): Tensor | null => (rows === x.shape[0] ? null : slice(x, 0, rows));

/** Concatenates rows; null if there are none. */
function joined(above: Tensor, below: Tensor | null): Tensor {
  return below ? concat([above, below], 0) : above;
}

/** The rows in another order. */
function pick(x: Tensor, order: readonly number[]): Tensor {
  if (order.every((row, i) => row === i)) return x;
  const [B, ...rest] = x.shape;
  return reshape(gather(reshape(x, [B, x.size / B]), asTensor([...order])), [B, ...rest]);
}
