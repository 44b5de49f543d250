/**
 * The interface of optimizers, and the code they share. All weights are in one flat buffer. The gradients and each
 * slot of the optimizer are in buffers with the same layout. An update is therefore one kernel call.
 */
import { currentBackend, valueError } from '@unroll/core';
import { type Block, formatValue, type Kernels, type OptionTypes } from '@unroll/core/internal';
import type { Clip } from '../clip.js';
import { type LearningRate, rateAt, resolveRate } from '../schedules.js';

export interface UpdateCall {
  kernels: Kernels;
  /** Weights, updated in place. */
  w: Block;
  /** Gradients of the weights. The update may overwrite them. */
  g: Block;
  /** The optimizer's slots, in the order of {@link Optimizer.slots}; zeros before the first update. */
  slots: readonly Block[];
  /** Number of this update, starting at 1. */
  step: number;
  /** Learning rate of this update. */
  rate: number;
  /** Factor by which the update multiplies the gradients: the clipping by global norm. */
  gScale: number;
  /** The parameters in the blocks. Required by `excludeFromWeightDecay` and `lazy`. */
  slices?: readonly ParameterSlice[];
  /** Returns a part of a block as a view. Required if `slices` is given. */
  part?: (block: Block, offset: number, length: number) => Block;
}

/** The slice of the flat buffers that contains a parameter. */
export interface ParameterSlice {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
  /** For lazy optimizers: the rows to update. Default: all rows. */
  readonly rows?: Rows;
}

/** Some rows of an embedding table. */
export interface Rows {
  /** The indices of the rows. */
  readonly ids: readonly number[];
  /** The length of a row. */
  readonly width: number;
}

export interface Optimizer {
  readonly name: string;
  /** All options, including defaults, as JSON. `{ name, ...config }` creates an equal optimizer. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Gradient clipping before an update. Null or undefined: the `clip` option of the run applies. */
  readonly clip?: Clip | null;
  /** Learning rate of the first update. */
  readonly learningRate: number;
  /** Returns the learning rate after the given number of updates. */
  rate(updates: number): number;
  /** Names of the optimizer's state variables (slots), each with one value per weight. */
  readonly slots: readonly string[];
  /**
   * True if the optimizer updates only {@link ParameterSlice.rows}. It then writes to no other rows of the weights,
   * gradients or slots, except that Adagrad initializes all rows of its slots in the first update.
   */
  readonly lazy?: boolean;
  /** Updates the weights and the slots. */
  update(call: UpdateCall): void;
}

/** Options of every optimizer. */
export interface OptimizerOptions {
  /** A number, or a schedule. */
  learningRate?: LearningRate;
  /**
   * Each update first multiplies the weights by 1 - learningRate * weightDecay (Loshchilov & Hutter 2019). As in
   * Keras, this applies to every optimizer. Default 0; 0.004 for AdamW.
   */
  weightDecay?: number;
  /** Parts of names, such as `bias`. A parameter whose name contains one of them has no weight decay. Default none. */
  excludeFromWeightDecay?: readonly string[];
  /**
   * Whether to use the formulas of Keras or of PyTorch. They differ in three points: the position of epsilon, whether
   * momentum includes the learning rate, and weight decay, which PyTorch adds to the gradient except in AdamW. The
   * defaults of all other options are those of Keras. Default `keras`.
   */
  convention?: 'keras' | 'pytorch';
  /**
   * Skip the rows of embedding tables that were not looked up since the last update. Their weights and moments do not
   * change, which makes large vocabularies cheap; weight decay also skips them. Parameters that were not used at all
   * are skipped, too. A table with a dense gradient is updated completely: a table that has a regularizer or is also
   * used in a matrix product, or any table if `beforeUpdate` wrote the gradients. `adam({ lazy: true })` is PyTorch's
   * SparseAdam (https://docs.pytorch.org/docs/stable/generated/torch.optim.SparseAdam.html). Default false: as in
   * Keras, every update decays all moments and changes the weights accordingly.
   */
  lazy?: boolean;
  /** Clip the gradient of each parameter by its own norm (Keras: `clipnorm`). Same as `clip: { norm }`. Default none. */
  clipNorm?: number;
  /** Clip all gradients by their common norm. Same as `clip: { globalNorm }`. Default none. */
  globalClipNorm?: number;
  /** Clip every entry of the gradients to [-clipValue, clipValue]. Same as `clip: { value }`. Default none. */
  clipValue?: number;
}

/** The types of the common options; their ranges are checked when an optimizer is created. */
export const OPTIMIZER_OPTIONS: OptionTypes<OptimizerOptions> = {
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
/** The common options of all optimizers, including defaults. `clips` contains the clipping options that are set. */
export type CommonOptions = Required<Omit<OptimizerOptions, keyof typeof CLIPS>> & { clips: ClipOptions };

/** Updates all weights in `call` with the same `decay`, which is learningRate * weightDecay. */
export type UpdateRule = (call: UpdateCall, decay: number) => void;

/**
 * Creates an optimizer.
 * @param options the common options
 * @param specificOptions the other options of this optimizer, including defaults
 * @param slots the names of its slots
 */
export function makeOptimizer(
  name: string,
  options: CommonOptions,
  specificOptions: Record<string, unknown>,
  slots: readonly string[],
  rule: UpdateRule,
): Optimizer {
  const { learningRate, weightDecay, excludeFromWeightDecay, convention, lazy, clips } = options;
  const rate = resolveRate(name, learningRate);
  checkNonNegative(name, { weightDecay });
  if (convention !== 'keras' && convention !== 'pytorch') {
    throw valueError(`${name}: convention must be 'keras' or 'pytorch', got ${formatValue(convention)}.`, {
      convention,
    });
  }
  const addsDecayToGradient = convention === 'pytorch' && name !== 'adamw' && weightDecay > 0;
  return {
    name,
    config: {
      learningRate: typeof rate === 'number' ? rate : { name: rate.name, ...rate.config },
      ...specificOptions,
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
      updateParts(call, weightDecay > 0 ? excludeFromWeightDecay : [], (partCall, hasDecay) => {
        if (!hasDecay || weightDecay === 0) rule(partCall, 0);
        else if (addsDecayToGradient) rule(withDecayInGradient(partCall, weightDecay), 0);
        else rule(partCall, call.rate * weightDecay);
      });
    },
  };
}

type PartUpdate = (partCall: UpdateCall, hasDecay: boolean) => void;

/**
 * Splits `call` into parts and calls `update` for each part. A part is a range of adjacent parameters that all have weight
 * decay or all have none, or the rows to update of one table.
 */
function updateParts(call: UpdateCall, excluded: readonly string[], update: PartUpdate): void {
  const { slices, part } = call;
  const hasRows = slices?.some(({ rows }) => rows) ?? false;
  if (excluded.length === 0 && !hasRows) {
    update(call, true);
    return;
  }
  if (!slices || !part) {
    throw valueError(
      'excludeFromWeightDecay and lazy require slices and part in the call of update(). Pass both.',
    );
  }
  const ranges: { offset: number; length: number; hasDecay: boolean; rows: Rows | undefined }[] = [];
  for (const { name, offset, size, rows } of slices) {
    const hasDecay = !excluded.some((word) => name.includes(word));
    const last = ranges.at(-1);
    const sameKind = last && last.hasDecay === hasDecay && !last.rows && !rows;
    if (sameKind && last.offset + last.length === offset) last.length += size;
    else ranges.push({ offset, length: size, hasDecay, rows });
  }
  for (const { offset, length, hasDecay, rows } of ranges) {
    const viewOf = (block: Block): Block => part(block, offset, length);
    const rangeCall = { ...call, w: viewOf(call.w), g: viewOf(call.g), slots: call.slots.map(viewOf) };
    if (rows) updateRows(rangeCall, rows, (rowsCall) => update(rowsCall, hasDecay));
    else update(rangeCall, hasDecay);
  }
}

/** Updates rows of the table in `call`: gathers them, updates the copies and scatters them back. */
function updateRows(call: UpdateCall, rows: Rows, update: (rowsCall: UpdateCall) => void): void {
  const { ids, width } = rows;
  if (ids.length === 0) return;
  const { kernels, w, g, slots } = call;
  const rowsCall = {
    ...call,
    w: copyOfRows(w, rows),
    g: copyOfRows(g, rows),
    slots: slots.map((slot) => copyOfRows(slot, rows)),
  };
  update(rowsCall);
  const [strides, shape] = [[1], [width]];
  const scatter = (updated: Block, table: Block): void => {
    for (let i = 0; i < ids.length; i++) {
      kernels.copy({
        x: updated,
        offsetX: i * width,
        stridesX: strides,
        y: table,
        offsetY: ids[i] * width,
        stridesY: strides,
        shape,
      });
    }
  };
  scatter(rowsCall.w, w);
  rowsCall.slots.forEach((updated, i) => {
    scatter(updated, slots[i]);
  });
}

/** Returns a copy of some rows of a table, in a temporary block of the open scope. */
export function copyOfRows(table: Block, { ids, width }: Rows): Block {
  const backend = currentBackend();
  const index = backend.temporary(ids.length);
  backend.write(index, ids);
  const rows = backend.temporary(ids.length * width);
  backend.kernels.gather(table, index, rows, width);
  return rows;
}

/** Scales the gradients by gScale (clipping), then adds weightDecay * w: weight decay as in PyTorch. */
function withDecayInGradient(call: UpdateCall, weightDecay: number): UpdateCall {
  const { kernels, w, g, gScale } = call;
  if (gScale !== 1) scaleInPlace(kernels, g, gScale);
  kernels.accumulate(g, w, weightDecay);
  return { ...call, gScale: 1 };
}

/** Multiplies x by `factor` in place. */
export function scaleInPlace(kernels: Kernels, x: Block, factor: number): void {
  const scalar = scalarBlock(kernels, factor);
  kernels.binary({ op: 'mul', a: x, b: scalar, stridesB: [0], y: x });
}

/** Returns a block with one number, in the open scope. */
export function scalarBlock(kernels: Kernels, value: number): Block {
  const block = currentBackend().temporary(1);
  kernels.fill(block, value);
  return block;
}

/**
 * Rounds a number to the precision of the backend's kernels. A decay rate of 0.999 is 0.99900001 in float32, and the
 * bias correction must compute its divisor, 1 - 0.999^t, from the same number.
 */
export function toKernelPrecision(value: number): number {
  return currentBackend().float === Float32Array ? Math.fround(value) : value;
}

/** Throws unless every option is a finite number >= 0. */
export function checkNonNegative(name: string, options: Record<string, number>): void {
  for (const [option, value] of Object.entries(options)) {
    if (!(typeof value === 'number' && value >= 0 && value < Number.POSITIVE_INFINITY)) {
      throw valueError(
        `${name}: ${option} must be a finite, non-negative number, got ${formatValue(value)}.`,
        {
          [option]: value,
        },
      );
    }
  }
}

/** Throws unless every option is a number in [0, 1). */
export function checkUnitInterval(name: string, options: Record<string, number>): void {
  for (const [option, value] of Object.entries(options)) {
    if (!(typeof value === 'number' && value >= 0 && value < 1)) {
      throw valueError(`${name}: ${option} must be in [0, 1), got ${formatValue(value)}.`, {
        [option]: value,
      });
    }
  }
}

/** Returns the common options with Keras's defaults. @param learningRate the default learning rate */
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

/**
 * Converts the clipping options of an optimizer to a `Clip`; null if none is set.
 * @throws UnrollError `value` for more than one kind, or an invalid limit
 */
function clipOf(name: string, clips: ClipOptions): Clip | null {
  const limits = Object.entries(clips);
  if (limits.length === 0) return null;
  if (limits.length > 1) {
    const names = limits.map(([option]) => option).join(' and ');
    throw valueError(`${name}: set only one of ${Object.keys(CLIPS).join(', ')}, got ${names}.`, { clips });
  }
  const [option, limit] = limits[0];
  if (typeof limit === 'number' && limit > 0) return { [CLIPS[option as keyof ClipOptions]]: limit } as Clip;
  throw valueError(`${name}: ${option} must be a number above 0, got ${formatValue(limit)}.`, {
    [option]: limit,
  });
}
