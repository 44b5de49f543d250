/**
 * What an optimizer is. All weights lie in one buffer, and so do their gradients and each of the optimizer's
 * slots, so that an update is one kernel call over them.
 */
import { currentBackend, valueError } from '@unroll/core';
import type { Block, Kernels } from '@unroll/core/internal';
import { type LearningRate, rateAt, resolveRate } from '../schedules.js';

export interface UpdateCall {
  kernels: Kernels;
  /** Weights, changed in place. */
  w: Block;
  /** Their gradients; what they hold afterwards is not defined. */
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
  places?: readonly Place[];
  /** A part of a block; with `places`. */
  part?: (block: Block, offset: number, length: number) => Block;
}

/** Where a parameter lies in the buffers. */
export interface Place {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
}

export interface Optimizer {
  readonly name: string;
  /** The options with their defaults, as JSON: `{ name, ...config }` makes the same optimizer again. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Learning rate of the first update. */
  readonly learningRate: number;
  /** Learning rate after that many updates: what the schedule says, or always the same. */
  rate(updates: number): number;
  /** Names of what it remembers between updates, one number per weight each. */
  readonly slots: readonly string[];
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
}

/**
 * One update of the weights in `call`, all of which decay by the same `decay` (learningRate * weightDecay).
 */
export type Rule = (call: UpdateCall, decay: number) => void;

/** An optimizer from its options (defaults filled in), the names of its slots and its rule. */
export function makeOptimizer(
  name: string,
  options: Required<OptimizerOptions>,
  own: Record<string, unknown>,
  slots: readonly string[],
  rule: Rule,
): Optimizer {
  const { learningRate, weightDecay, excludeFromWeightDecay, convention } = options;
  const rate = resolveRate(name, learningRate);
  checkAtLeast(name, { weightDecay });
  if (convention !== 'keras' && convention !== 'pytorch') {
    throw valueError(`${name}: convention is 'keras' or 'pytorch', got "${convention}".`, { convention });
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
    },
    learningRate: rateAt(rate, 0),
    rate: (updates) => rateAt(rate, updates),
    slots,
    update(call) {
      for (const [part, decays] of decayParts(call, weightDecay > 0 ? excludeFromWeightDecay : [])) {
        if (!decays || weightDecay === 0) rule(part, 0);
        else if (coupled) rule(addedDecay(part, weightDecay), 0);
        else rule(part, call.rate * weightDecay);
      }
    },
  };
}

/** The call cut into runs of parameters that decay and that do not: one, if all are alike. */
function decayParts(call: UpdateCall, excluded: readonly string[]): [UpdateCall, boolean][] {
  if (excluded.length === 0) return [[call, true]];
  const { places, part } = call;
  if (!places || !part) {
    throw valueError(
      'excludeFromWeightDecay needs the parameters of the weights (UpdateCall.places and part).',
    );
  }
  const runs: { offset: number; length: number; decays: boolean }[] = [];
  for (const { name, offset, size } of places) {
    const decays = !excluded.some((word) => name.includes(word));
    const last = runs.at(-1);
    if (last && last.decays === decays && last.offset + last.length === offset) last.length += size;
    else runs.push({ offset, length: size, decays });
  }
  return runs.map(({ offset, length, decays }) => {
    const cut = (block: Block): Block => part(block, offset, length);
    return [{ ...call, w: cut(call.w), g: cut(call.g), slots: call.slots.map(cut) }, decays];
  });
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
    if (!(value >= 0 && value < Number.POSITIVE_INFINITY)) {
      throw valueError(`${name}: ${option} is a number >= 0, got ${value}.`, { [option]: value });
    }
  }
}

/** Throws unless every number lies in [0, 1). */
export function checkShare(name: string, options: Record<string, number>): void {
  for (const [option, value] of Object.entries(options)) {
    if (!(value >= 0 && value < 1)) {
      throw valueError(`${name}: ${option} lies in [0, 1), got ${value}.`, { [option]: value });
    }
  }
}

/** The options that all optimizers share, with Keras's defaults. */
export function commonOptions(options: OptimizerOptions, learningRate: number): Required<OptimizerOptions> {
  return {
    learningRate: options.learningRate ?? learningRate,
    weightDecay: options.weightDecay ?? 0,
    excludeFromWeightDecay: options.excludeFromWeightDecay ?? [],
    convention: options.convention ?? 'keras',
  };
}
