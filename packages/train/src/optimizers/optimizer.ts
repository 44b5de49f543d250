/**
 * The definition of an optimizer. All weights are in one flat buffer, and so are their gradients and each of the
 * optimizer's slots, so that an update is one kernel call.
 */
import { currentBackend, valueError } from '@unroll/core';
import { type Block, type Kernels, type OptionTypes, formatValue } from '@unroll/core/internal';
import type { Clip } from '../clip.js';
import { type LearningRate, rateAt, resolveRate } from '../schedules.js';

export interface UpdateCall {
  kernels: Kernels;
  /** Weights, updated in place. */
  w: Block;
  /** Their gradients; their values afterwards are undefined. */
  g: Block;
  /** The optimizer's slots, in the order of {@link Optimizer.slots}; zeros before the first update. */
  slots: readonly Block[];
  /** Number of this update, starting at 1. */
  step: number;
  /** Learning rate of this update. */
  rate: number;
  /** Factor on the gradients (from clipping by global norm). */
  gScale: number;
  /** The parameters in the blocks. Needed if some are excluded from weight decay. */
  slices?: readonly ParameterSlice[];
  /** A part of a block; present with `slices`. */
  part?: (block: Block, offset: number, length: number) => Block;
}

/** The slice of the flat buffers that contains a parameter. */
export interface ParameterSlice {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
  /** For lazy optimizers: the rows to update. Absent: all. */
  readonly rows?: Rows;
}

/** Some rows of a table. */
export interface Rows {
  readonly ids: readonly number[];
  readonly width: number;
}

export interface Optimizer {
  readonly name: string;
  /** The options with their defaults, as JSON: `{ name, ...config }` makes an equal optimizer. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Gradient clipping before an update. Absent or null: that of the run. */
  readonly clip?: Clip | null;
  /** Learning rate of the first update. */
  readonly learningRate: number;
  /** Learning rate after that many updates: that of the schedule, or a constant. */
  rate(updates: number): number;
  /** Names of its state variables (slots), each with one value per weight. */
  readonly slots: readonly string[];
  /**
   * True if it updates only {@link ParameterSlice.rows}, and writes to no other rows, including those of the
   * gradients.
   */
  readonly lazy?: boolean;
  update(call: UpdateCall): void;
}

/** Options of every optimizer. */
export interface OptimizerOptions {
  /** A number, or a schedule. */
  learningRate?: LearningRate;
  /**
   * Each update first multiplies the weights by 1 - learningRate * weightDecay (Loshchilov & Hutter 2019), for every
   * optimizer, as in Keras. Default 0; 0.004 for AdamW.
   */
  weightDecay?: number;
  /** Parameters without weight decay: those whose name contains one of these, such as `bias`. Default none. */
  excludeFromWeightDecay?: readonly string[];
  /**
   * Formulas of Keras or of PyTorch. They differ in the position of epsilon, in whether momentum includes the
   * learning rate, and in weight decay, which PyTorch adds to the gradient except in AdamW. The defaults of the other
   * options are always Keras's. Default `keras`.
   */
  convention?: 'keras' | 'pytorch';
  /**
   * Skips the rows of embedding tables that were not looked up since the last update, including their moments, which
   * makes large vocabularies cheap. `adam({ lazy: true })` is PyTorch's SparseAdam
   * (https://docs.pytorch.org/docs/stable/generated/torch.optim.SparseAdam.html); parameters that were not used at
   * all are also skipped. Weight decay skips these rows, too. A table with a dense gradient (it has a regularizer, is
   * also used in a product, or `beforeUpdate` wrote the gradients) is updated as a whole. Default false: moments
   * decay, and change weights, at every update, as in Keras.
   */
  lazy?: boolean;
  /** Clip the gradient of each parameter by its own norm, as Keras's `clipnorm`: `clip: { norm }` of a run. Default none. */
  clipNorm?: number;
  /** Clip all gradients by their common norm: `clip: { globalNorm }` of a run. Default none. */
  globalClipNorm?: number;
  /** Clip every entry of the gradients to [-clipValue, clipValue]: `clip: { value }` of a run. Default none. */
  clipValue?: number;
}

/** The types of the common options; their ranges are checked when an optimizer is created. */
export const OPTIMIZER: OptionTypes<OptimizerOptions> = {
  learningRate: true,
  weightDecay: true,
  excludeFromWeightDecay: 'array',
  convention: true,
  lazy: 'boolean',
  clipNorm: true,
  globalClipNorm: true,
  clipValue: true,
};

const CLIPS = { clipNorm: 'norm', globalClipNorm: 'globalNorm', clipValue: 'value' } as const;
type ClipOptions = Pick<OptimizerOptions, keyof typeof CLIPS>;
/** The common options of all optimizers, with their defaults. */
export type CommonOptions = Required<Omit<OptimizerOptions, keyof typeof CLIPS>> & { clips: ClipOptions };

/**
 * One update of the weights in `call`, all with the same `decay` (learningRate * weightDecay).
 */
export type Rule = (call: UpdateCall, decay: number) => void;

/** An optimizer from its options (including defaults), the names of its slots and its rule. */
export function makeOptimizer(
  name: string,
  options: CommonOptions,
  own: Record<string, unknown>,
  slots: readonly string[],
  rule: Rule,
): Optimizer {
  const { learningRate, weightDecay, excludeFromWeightDecay, convention, lazy, clips } = options;
  const rate = resolveRate(name, learningRate);
  checkNonNegative(name, { weightDecay });
  if (convention !== 'keras' && convention !== 'pytorch') {
    throw valueError(`${name}: convention must be 'keras' or 'pytorch', got ${formatValue(convention)}.`, {
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
      updateParts(call, weightDecay > 0 ? excludeFromWeightDecay : [], (part, decays) => {
        if (!decays || weightDecay === 0) rule(part, 0);
        else if (coupled) rule(addedDecay(part, weightDecay), 0);
        else rule(part, call.rate * weightDecay);
      });
    },
  };
}

type Update = (part: UpdateCall, decays: boolean) => void;

/**
 * Calls `update` for runs of parameters with and without decay (one run if all are alike), and for the rows of tables
 * that are updated by rows.
 */
function updateParts(call: UpdateCall, excluded: readonly string[], update: Update): void {
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

/** Updates rows of the table in `call`: gathers them, updates the copies and scatters them back. */
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

/** Gathers rows of a table, in the open scope. */
export function copyOfRows(table: Block, { ids, width }: Rows): Block {
  const backend = currentBackend();
  const index = backend.temporary(ids.length);
  backend.write(index, ids);
  const rows = backend.temporary(ids.length * width);
  backend.kernels.gather(table, index, rows, width);
  return rows;
}

/** Adds weightDecay w to the gradient g, after clipping: PyTorch's weight decay. */
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

/** A block with one number, in the open scope. */
export function scalarBlock(kernels: Kernels, value: number): Block {
  const block = currentBackend().temporary(1);
  kernels.fill(block, value);
  return block;
}

/**
 * The number in the precision of the backend's kernels. A decay rate of 0.999 is 0.99900001 in float32; the divisor 1
 * - 0.999^t of a bias correction must use the same number.
 */
export function toKernelPrecision(value: number): number {
  return currentBackend().float === Float32Array ? Math.fround(value) : value;
}

/** Throws unless every number is >= 0. */
export function checkNonNegative(name: string, options: Record<string, number>): void {
  for (const [option, value] of Object.entries(options)) {
    if (!(typeof value === 'number' && value >= 0 && value < Number.POSITIVE_INFINITY)) {
      throw valueError(`${name}: ${option} must be a number >= 0, got ${formatValue(value)}.`, { [option]: value });
    }
  }
}

/** Throws unless every number is in [0, 1). */
export function checkUnitInterval(name: string, options: Record<string, number>): void {
  for (const [option, value] of Object.entries(options)) {
    if (!(typeof value === 'number' && value >= 0 && value < 1)) {
      throw valueError(`${name}: ${option} must be in [0, 1), got ${formatValue(value)}.`, { [option]: value });
    }
  }
}

/** The common options of all optimizers, with Keras's defaults. */
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

/** The clipping from an optimizer's options. @throws UnrollError `value` for more than one kind, or an invalid limit */
function clipOf(name: string, clips: ClipOptions): Clip | null {
  const given = Object.entries(clips);
  if (given.length === 0) return null;
  if (given.length > 1) {
    const names = given.map(([option]) => option).join(' and ');
    throw valueError(`${name}: set only one of ${Object.keys(CLIPS).join(', ')}, got ${names}.`, { clips });
  }
  const [option, limit] = given[0];
  if (typeof limit === 'number' && limit > 0) return { [CLIPS[option as keyof ClipOptions]]: limit } as Clip;
  throw valueError(`${name}: ${option} must be a number above 0, got ${formatValue(limit)}.`, { [option]: limit });
}
