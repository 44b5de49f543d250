/**
 * The training objective: a weighted sum of the losses of the model's outputs, plus the terms that layers add
 * (regularisers).
 */
import {
  add,
  type MaskedSequence,
  type Model,
  mul,
  type Parameter,
  reshape,
  type Shape,
  type Tensor,
  UnrollError,
  valueError,
} from '@unroll/core';
import type { PreparedBatch } from './batches.js';
import type { SavedTensor } from './callbacks/callback.js';
import type { Loss } from './losses/loss.js';
import { LOSS_PREFIX, lossParameterMaker } from './losses/parameters.js';
import { type ClassWeights, classWeighted } from './losses/row-factors.js';
import { type LossSpec, resolveLoss } from './losses.js';

/**
 * One for each output: a list in the order of the model, or an object by names; null or a missing name: the output
 * has none.
 */
export type PerOutput<T> = readonly (T | null)[] | Readonly<Record<string, T | null>>;

export interface ObjectiveOptions {
  /** A loss by name or a loss object; for several outputs a list, or an object by their names. */
  loss: LossSpec | PerOutput<LossSpec>;
  /** Weights of the outputs' losses. Default 1. */
  lossWeights?: PerOutput<number>;
  /**
   * Weights of the classes in the loss, by class index, for a model with one output. They do not apply to the
   * validation loss. Default 1 each.
   */
  classWeights?: ClassWeights;
}

interface Output {
  name: string;
  loss: Loss;
  weight: number;
  /** Index of the output of the model. */
  index: number;
}

/** The weight of a batch. */
interface BatchCount {
  /** For gradients that are accumulated over several batches. */
  count: number;
  examples: number;
}

/** The losses of one batch, as scalars. */
export interface BatchLoss extends BatchCount {
  /** The scalar to differentiate. */
  total: Tensor;
  /** For each output with a loss: the loss before its weight. */
  parts: readonly Tensor[];
  /** For each of these: its weight in an average over batches. */
  counts: readonly number[];
  /** The terms that layers added; null: none. */
  added: Tensor | null;
}

/** {@link BatchLoss} as numbers. */
export interface LossValues extends BatchCount {
  /** The scalar that was differentiated. */
  loss: number;
  parts: readonly OutputLoss[];
  /** The sum of the terms that layers added; 0 if there are none. */
  added: number;
}

export interface OutputLoss {
  loss: number;
  count: number;
}

/** The distinct scalars to read for {@link lossValues}. */
export function lossScalars({ total, parts, added }: BatchLoss): Tensor[] {
  const rest = added ? [...parts, added] : parts;
  return rest.length === 1 && rest[0] === total ? [total] : [total, ...rest];
}

/** The losses of a batch, from the values of its scalars. */
export function lossValues(
  { counts, added, count, examples }: BatchLoss,
  scalars: readonly ArrayLike<number>[],
): LossValues {
  const first = Math.min(1, scalars.length - 1); // a single part may be the total itself
  return {
    loss: scalars[0][0],
    parts: counts.map((count, i) => ({ loss: scalars[first + i][0], count })),
    added: added ? scalars[first + counts.length][0] : 0,
    count,
    examples,
  };
}

export class Objective {
  readonly outputs: readonly Output[];
  readonly #classWeights: ClassWeights | null;

  /** @param names of the model's outputs; null: it has one */
  constructor({ loss, lossWeights, classWeights }: ObjectiveOptions, names: readonly string[] | null) {
    const own = names ?? ['output'];
    const losses = lossByOutput(loss, own);
    const weights = lossWeights ? byOutput('lossWeights', lossWeights, own) : [];
    this.outputs = losses.flatMap((spec, index) =>
      spec === null
        ? []
        : [
            {
              name: own[index] ?? `output${index + 1}`,
              loss: resolveLoss(spec),
              weight: weights[index] ?? 1,
              index,
            },
          ],
    );
    if (this.outputs.length === 0)
      throw valueError('No output has a loss: there is nothing to train. Set loss.');
    const unreduced = this.outputs.find(({ loss: one }) => one.config.reduction === 'none');
    if (unreduced)
      throw valueError(
        `${unreduced.loss.name}: reduction must be "sum" or a mean to train or evaluate with, got "none".`,
      );
    if (classWeights && this.outputs.length > 1) {
      throw valueError(
        'classWeights are for a model with one output. For several, use sampleWeights for each.',
      );
    }
    const whole = this.outputs.find(({ loss: own }) => own.perSequence);
    if (classWeights && whole) {
      throw valueError(
        `classWeights are for losses of steps, but ${whole.loss.name} is a loss of sequences. Use sampleWeights.`,
      );
    }
    this.#classWeights = classWeights ?? null;
  }

  /** The distinct parameters of the losses; none before they are built. */
  get parameters(): readonly Parameter[] {
    return [...new Set(this.outputs.flatMap(({ loss }) => loss.parameters ?? []))];
  }

  /**
   * Creates the parameters of the losses, for a built model.
   * @param stored their values from a file, by name; null: initial ones
   * @throws UnrollError `state` for a model that does not know the shapes of its outputs, `format` if the file has
   * different parameters
   */
  build(
    model: Model,
    inputs: readonly Shape[],
    stored: Readonly<Record<string, SavedTensor>> | null = null,
  ): void {
    const owners = this.outputs.filter(({ loss }) => loss.build);
    if (owners.length > 0) {
      const shapes = model.outputShapes?.(inputs);
      if (!shapes) {
        throw new UnrollError(
          'state',
          `${model.name} has no outputShapes(), which the parameters of the loss ${owners[0].loss.name} need.`,
        );
      }
      for (const { loss, name, index } of owners)
        loss.build?.(shapes[index], lossParameterMaker(`${LOSS_PREFIX}${name}`, stored));
    }
    const made = this.parameters.map(({ name }) => name);
    const extra = Object.keys(stored ?? {}).find((name) => !made.includes(name));
    if (extra === undefined) return;
    throw new UnrollError(
      'format',
      `The file has the loss parameter ${extra}, which the loss does not have.`,
      {
        name: extra,
      },
    );
  }

  /** True if the losses of batches are added (reduction `sum`) instead of averaged. */
  get addsBatchLosses(): boolean {
    return this.outputs.every(({ loss }) => loss.config.reduction === 'sum');
  }

  /** The losses of the model's outputs for a batch. @param terms the terms that layers added */
  compute(
    sequences: readonly MaskedSequence[],
    batch: PreparedBatch,
    terms: readonly Tensor[] = [],
  ): BatchLoss {
    this.#checkCount(sequences.length, batch.targets.length);
    const weighted: Tensor[] = [];
    const counts: number[] = [];
    const parts = this.outputs.map(({ loss, weight, index }, i) => {
      const { value: prediction, mask } = sequences[index];
      const given = batch.targets[i];
      const target = loss.perSequence ? given : asColumn(given, prediction.shape);
      const weights = this.#weights(target, prediction, batch.weights[i] ?? null);
      const own = loss.compute(prediction, target, mask, weights);
      weighted.push(weight === 1 ? own : mul(own, weight));
      counts.push(loss.divisor(prediction, target, mask, weights));
      return own;
    });
    const own = weighted.reduce((a, b) => add(a, b));
    const penalties = this.parameters.flatMap((one) =>
      one.trainable && one.regularizer ? [one.regularizer(one)] : [],
    );
    const [first, ...more] = [...terms, ...penalties];
    const added = first ? more.reduce((a, b) => add(a, b), first) : null;
    return {
      total: added ? add(own, added) : own,
      parts,
      counts,
      added,
      // Several outputs may have different weights; each batch is then weighted by its number of examples.
      count: parts.length === 1 ? counts[0] : batch.examples,
      examples: batch.examples,
    };
  }

  #weights(target: Tensor, prediction: Tensor, weights: Tensor | null): Tensor | null {
    if (!this.#classWeights) return weights;
    return classWeighted(target, prediction.shape.slice(0, -1), this.#classWeights, weights);
  }

  #checkCount(outputs: number, targets: number): void {
    const last = this.outputs[this.outputs.length - 1].index;
    if (last < outputs && targets === this.outputs.length) return;
    throw valueError(
      `y must have one tensor for each of the ${this.outputs.length} outputs with a loss (of ${outputs} outputs), got ` +
        `${targets}. Pass a list of tensors in the order of the outputs.`,
      { outputs, losses: this.outputs.length, targets },
    );
  }
}

/** Replaces loss names by loss objects, so that each keeps its parameters between uses. */
export function resolveLosses(loss: ObjectiveOptions['loss']): ObjectiveOptions['loss'] {
  if (!isPerOutput(loss)) return resolveLoss(loss);
  if (Array.isArray(loss)) return loss.map((one: LossSpec | null) => one && resolveLoss(one));
  const named = loss as Readonly<Record<string, LossSpec | null>>;
  return Object.fromEntries(Object.entries(named).map(([name, one]) => [name, one && resolveLoss(one)]));
}

/** Targets [N] for predictions [N, 1] are treated as a column; likewise for higher ranks. */
export function asColumn(target: Tensor, prediction: Shape): Tensor {
  const lacksOne = target.rank === prediction.length - 1 && prediction.at(-1) === 1;
  return lacksOne ? reshape(target, [...target.shape, 1]) : target;
}

/** The loss of each output, null if it has none; a single loss belongs to the first output. */
export function lossByOutput(
  loss: ObjectiveOptions['loss'],
  names: readonly string[],
): readonly (LossSpec | null)[] {
  return isPerOutput(loss) ? byOutput('loss', loss, names) : [loss];
}

function isPerOutput(loss: LossSpec | PerOutput<LossSpec>): loss is PerOutput<LossSpec> {
  return typeof loss === 'object' && loss !== null && (Array.isArray(loss) || !('name' in loss));
}

/** One entry per output, in the model's order. */
export function byOutput<T>(what: string, values: PerOutput<T>, names: readonly string[]): (T | null)[] {
  if (Array.isArray(values)) {
    if (values.length === names.length) return [...(values as readonly (T | null)[])];
    throw valueError(
      `${what} must have ${names.length} entries, one for each output, got ${values.length}.`,
      {
        [what]: values.length,
        outputs: names,
      },
    );
  }
  const unknown = Object.keys(values).find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw valueError(`${what}: the model has no output "${unknown}". Its outputs are ${names.join(', ')}.`, {
      output: unknown,
      outputs: names,
    });
  }
  return names.map((name) => (values as Readonly<Record<string, T>>)[name] ?? null);
}
