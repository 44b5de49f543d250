/**
 * What an optimizer is. All weights are in one flat buffer, and so are their gradients and each of the optimizer's
 * slots, so that an update is one kernel call over them.
 */
import { currentBackend, valueError } from '@unroll/core';
import { type Block, type Kernels, type Known, shown } from '@unroll/core/internal';
import type { Clip } from '../clip.js';
import { type LearningRate, rateAt, resolveRate } from '../schedules.js';

export interface UpdateCall {
  kernels: Kernels;
  /** Weights, changed in place. */
  w: Block;
  /** Their gradients; their values afterwards are undefined. */
  g: Block;
  /** The optimizer's slots, in the order of {@link Optimizer.slots}; zeros before the first update. */
  slots: readonly Block[];
  /** Number of this update, from 1. */
  step: number;
  /** Learning rate of this update. */
  rate: number;
  /** Factor on the gradients (what clipping by global norm asks for). */
  gScale: number;
  /** The parameters in the blocks. Needed where some are excluded from weight decay. */
  slices?: readonly ParameterSlice[];
  /** A part of a block; with `slices`. */
  part?: (block: Block, offset: number, length: number) => Block;
}

/** The slice of the flat buffers that holds a parameter. */
export interface ParameterSlice {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
  /** For lazy optimizers: the rows that an update is of. Absent: all. */
  readonly rows?: Rows;
}

/** Some rows of a table. */
export interface Rows {
  readonly ids: readonly number[];
  readonly width: number;
}

export interface Optimizer {
  readonly name: string;
  /** The options with their defaults, as JSON: `{ name, ...config }` makes the same optimizer again. */
  readonly config: Readonly<Record<string, unknown>>;
  /** How it has gradients clipped before an update. Absent or null: as the run says. */
  readonly clip?: Clip | null;
  /** Learning rate of the first update. */
  readonly learningRate: number;
  /** Learning rate after that many updates: what the schedule says, or always the same. */
  rate(updates: number): number;
  /** Names of its state between updates, one value per weight each. */
  readonly slots: readonly string[];
  /** It updates only the rows in {@link ParameterSlice.rows}, and writes to no other rows, also of the gradients. */
  readonly lazy?: boolean;
  update(call: UpdateCall): void;
}

/** Options of every optimizer. */
export interface OptimizerOptions {
  /** A number, or a schedule. */
  learningRate?: LearningRate;
  /**
   * Each update first multiplies the weights by 1 - learningRate * weightDecay (Loshchilov & Hutter 2019), in
   * every optimizer, as in Keras. Default 0; 0.004 for AdamW.
   */
  weightDecay?: number;
  /** Parameters that do not decay: those whose name contains one of these, such as `bias`. Default none. */
  excludeFromWeightDecay?: readonly string[];
  /**
   * Whose formulas: Keras's and PyTorch's differ in where epsilon stands, in whether momentum holds the
   * learning rate, and in weight decay, which in PyTorch is added to the gradient except in AdamW. Defaults
   * of the other options stay Keras's. Default `keras`.
   */
  convention?: 'keras' | 'pytorch';
  /**
   * Rows of embedding tables that were not looked up since the last update are left as they are, their moments too,
   * which makes a large vocabulary cheap. `adam({ lazy: true })` is PyTorch's SparseAdam
   * (https://docs.pytorch.org/docs/stable/generated/torch.optim.SparseAdam.html), and it goes likewise for parameters
   * that were not used at all. Weight decay leaves these rows alone as well. A table whose gradient is not of rows
   * alone (it has a regularizer, is used in a product too, or `beforeUpdate` wrote the gradients) is updated whole.
   * Default false: moments decay, and move weights, at every update, as in Keras.
   */
  lazy?: boolean;
  /** Clip the gradient of each parameter by its own norm, as Keras's `clipnorm`: `clip: { norm }` of a run. Default none. */
  clipNorm?: number;
  /** Clip all gradients by their common norm: `clip: { globalNorm }` of a run. Default none. */
  globalClipNorm?: number;
  /** Clip every entry of the gradients to [-clipValue, clipValue]: `clip: { value }` of a run. Default none. */
  clipValue?: number;
}

/** What all optimizers take; ranges are checked where they are made. */
export const OPTIMIZER: Known<OptimizerOptions> = {
  learningRate: true,
  weightDecay: true,
  excludeFromWeightDecay: 'list',
  convention: true,
  lazy: 'flag',
  clipNorm: true,
  globalClipNorm: true,
  clipValue: true,
};

const CLIPS = { clipNorm: 'norm', globalClipNorm: 'globalNorm', clipValue: 'value' } as const;
type ClipOptions = Pick<OptimizerOptions, keyof typeof CLIPS>;
/** The options that all optimizers share, with their defaults. */
export type CommonOptions = Required<Omit<OptimizerOptions, keyof typeof CLIPS>> & { clips: ClipOptions };

/**
 * One update of the weights in `call`, all of which decay by the same `decay` (learningRate * weightDecay).
 */
export type Rule = (call: UpdateCall, decay: number) => void;

/** An optimizer from its options (defaults filled in), the names of its slots and its rule. */
export function makeOptimizer(
  name: string,
  options: CommonOptions,
  own: Record<string, unknown>,
  slots: readonly string[],
  rule: Rule,
): Optimizer {
  const { learningRate, weightDecay, excludeFromWeightDecay, convention, lazy, clips } = options;
  const rate = resolveRate(name, learningRate);
  checkAtLeast(name, { weightDecay });
  if (convention !== 'keras' && convention !== 'pytorch') {
    throw valueError(`${name}: convention must be 'keras' or 'pytorch', got ${shown(convention)}.`, {
      convention,
    });
  }
  const coupled = convention === 'pytorch' && name !== 'adamw' && weightDecay > 0;
  return {
    name,
    config: {
      learningRate: typeof rate === 'number' ? rate : { name: rate.name, ...rate.config },
      ...own,
      weightDecay,
      excludeFromWeightDecay: [...excludeFromWeightDecay],
      convention,
      lazy,
      ...clips,
    },
    clip: clipOf(name, clips),
    learningRate: rateAt(rate, 0),
    rate: (updates) => rateAt(rate, updates),
    slots,
    lazy,
    update(call) {
      eachPart(call, weightDecay > 0 ? excludeFromWeightDecay : [], (part, decays) => {
        if (!decays || weightDecay === 0) rule(part, 0);
        else if (coupled) rule(addedDecay(part, weightDecay), 0);
        else rule(part, call.rate * weightDecay);
      });
    },
  };
}

type Update = (part: UpdateCall, decays: boolean) => void;

/**
 * Calls `update` for runs of parameters that decay and that do not (one, if all are alike), and for the rows of tables
 * that are updated by rows.
 */
function eachPart(call: UpdateCall, excluded: readonly string[], update: Update): void {
  const { slices, part } = call;
  const byRows = slices?.some(({ rows }) => rows) ?? false;
  if (excluded.length === 0 && !byRows) {
    update(call, true);
    return;
  }
  if (!slices || !part) {
    throw valueError(
      'excludeFromWeightDecay and lazy need the parameters of the weights (UpdateCall.slices and part).',
    );
  }
  const runs: { offset: number; length: number; decays: boolean; rows: Rows | undefined }[] = [];
  for (const { name, offset, size, rows } of slices) {
    const decays = !excluded.some((word) => name.includes(word));
    const last = runs.at(-1);
    const alike = last && last.decays === decays && !last.rows && !rows;
    if (alike && last.offset + last.length === offset) last.length += size;
    else runs.push({ offset, length: size, decays, rows });
  }
  for (const { offset, length, decays, rows } of runs) {
    const cut = (block: Block): Block => part(block, offset, length);
    const run = { ...call, w: cut(call.w), g: cut(call.g), slots: call.slots.map(cut) };
    if (rows) updateRows(run, rows, (few) => update(few, decays));
    else update(run, decays);
  }
}

/** Updates rows of the table in `call`: copies of them, side by side, which are put back. */
function updateRows(call: UpdateCall, rows: Rows, update: (few: UpdateCall) => void): void {
  const { ids, width } = rows;
  if (ids.length === 0) return;
  const { kernels, w, g, slots } = call;
  const few = {
    ...call,
    w: copyOfRows(w, rows),
    g: copyOfRows(g, rows),
    slots: slots.map((slot) => copyOfRows(slot, rows)),
  };
  update(few);
  const [one, size] = [[1], [width]];
  const putBack = (changed: Block, table: Block): void => {
    for (let i = 0; i < ids.length; i++) {
      kernels.copy(changed, i * width, one, table, ids[i] * width, one, size);
    }
  };
  putBack(few.w, w);
  few.slots.forEach((changed, i) => {
    putBack(changed, slots[i]);
  });
}

/** Rows of a table side by side, in the open scope. */
export function copyOfRows(table: Block, { ids, width }: Rows): Block {
  const backend = currentBackend();
  const index = backend.temporary(ids.length);
  backend.write(index, ids);
  const rows = backend.temporary(ids.length * width);
  backend.kernels.gather(table, index, rows, width);
  return rows;
}

/** g becomes g + weightDecay w, after clipping: PyTorch's decay. */
function addedDecay(call: UpdateCall, weightDecay: number): UpdateCall {
  const { kernels, w, g, gScale } = call;
  if (gScale !== 1) scaleInPlace(kernels, g, gScale);
  kernels.accumulate(g, w, weightDecay);
  return { ...call, gScale: 1 };
}

/** x *= factor */
export function scaleInPlace(kernels: Kernels, x: Block, factor: number): void {
  const scalar = scalarBlock(kernels, factor);
  kernels.binary('mul', x, [1], scalar, [0], x, [x.length]);
}

/** A block of one number, in the open scope. */
export function scalarBlock(kernels: Kernels, value: number): Block {
  const block = currentBackend().temporary(1);
  kernels.fill(block, value);
  return block;
}

/**
 * The number as the backend's kernels see it. A decay rate of 0.999 is 0.99900001 in float32; where a
 * correction divides by 1 - 0.999^t it must come from the same number.
 */
export function asStored(value: number): number {
  return currentBackend().float === Float32Array ? Math.fround(value) : value;
}

/** Throws unless every number is >= 0. */
export function checkAtLeast(name: string, options: Record<string, number>): void {
  for (const [option, value] of Object.entries(options)) {
    if (!(typeof value === 'number' && value >= 0 && value < Number.POSITIVE_INFINITY)) {
      throw valueError(`${name}: ${option} must be a number >= 0, got ${shown(value)}.`, { [option]: value });
    }
  }
}

/** Throws unless every number lies in [0, 1). */
export function checkShare(name: string, options: Record<string, number>): void {
  for (const [option, value] of Object.entries(options)) {
    if (!(typeof value === 'number' && value >= 0 && value < 1)) {
      throw valueError(`${name}: ${option} must be in [0, 1), got ${shown(value)}.`, { [option]: value });
    }
  }
}

/** The options that all optimizers share, with Keras's defaults. */
export function commonOptions(options: OptimizerOptions, learningRate: number): CommonOptions {
  const clips = Object.keys(CLIPS).map((option) => [option, options[option as keyof ClipOptions]] as const);
  return {
    learningRate: options.learningRate ?? learningRate,
    weightDecay: options.weightDecay ?? 0,
    excludeFromWeightDecay: options.excludeFromWeightDecay ?? [],
    convention: options.convention ?? 'keras',
    lazy: options.lazy ?? false,
    clips: Object.fromEntries(clips.filter(([, limit]) => limit !== undefined)),
  };
}

/** The clipping that an optimizer's options ask for. @throws UnrollError `value` for more than one kind, or a wrong limit */
function clipOf(name: string, clips: ClipOptions): Clip | null {
  const given = Object.entries(clips);
  if (given.length === 0) return null;
  if (given.length > 1) {
    const names = given.map(([option]) => option).join(' and ');
    throw valueError(`${name}: give only one of ${Object.keys(CLIPS).join(', ')}, got ${names}.`, { clips });
  }
  const [option, limit] = given[0];
  if (typeof limit === 'number' && limit > 0) return { [CLIPS[option as keyof ClipOptions]]: limit } as Clip;
  throw valueError(`${name}: ${option} must be a number above 0, got ${shown(limit)}.`, { [option]: limit });
}
