/**
 * What training makes small: a loss for each output of the model, weighted and added up, and the terms that
 * layers add (regularisers).
 */
import { add, type Flow, mul, reshape, type Shape, type Tensor, valueError } from '@unroll/core';
import type { PreparedBatch } from './batches.js';
import type { Loss } from './losses/loss.js';
import { type ClassWeights, classWeighted } from './losses/row-factors.js';
import { type LossSpec, resolveLoss } from './losses.js';

/** One for each output in the model's order (null: the output is not trained), or by the outputs' names. */
export type PerOutput<T> = readonly (T | null)[] | Readonly<Record<string, T>>;

export interface ObjectiveOptions {
  /** A loss by name or itself; for several outputs a list or an object by their names. */
  loss: LossSpec | PerOutput<LossSpec>;
  /** What each output's loss is multiplied by. Default 1. */
  lossWeights?: PerOutput<number>;
  /**
   * What the examples of each class count for, by class number; for a model of one output. Default 1 each.
   */
  classWeights?: ClassWeights;
}

interface Output {
  name: string;
  loss: Loss;
  weight: number;
  /** Which output of the model. */
  index: number;
}

/** The losses of one batch. */
export interface BatchLoss {
  /** What the gradient is taken of: a scalar. */
  total: Tensor;
  /** Its value. */
  loss: number;
  /**
   * For each output with a loss: the loss before its weight, and what it counts for in an average over
   * batches.
   */
  parts: readonly Part[];
  /** What layers added; 0 for nothing. */
  added: number;
  /** What the batch counts for where gradients are gathered over several. */
  count: number;
  examples: number;
}

export interface Part {
  loss: number;
  count: number;
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
    if (this.outputs.length === 0) throw valueError('No output has a loss: there is nothing to train.');
    if (classWeights && this.outputs.length > 1) {
      throw valueError('classWeights are for a model of one output. Use sampleWeights for each of several.');
    }
    this.#classWeights = classWeights ?? null;
  }

  /** Whether the losses of batches add up (reduction `sum`) instead of averaging. */
  get sums(): boolean {
    return this.outputs.every(({ loss }) => loss.config.reduction === 'sum');
  }

  /** The losses of the model's outputs for a batch. @param terms what layers added */
  compute(flows: readonly Flow[], batch: PreparedBatch, terms: readonly Tensor[] = []): BatchLoss {
    this.#checkCount(flows.length, batch.targets.length);
    const weighted: Tensor[] = [];
    const parts = this.outputs.map(({ loss, weight, index }, i): Part => {
      const { value: prediction, mask } = flows[index];
      const target = asColumn(batch.targets[i], prediction.shape);
      const weights = this.#weights(target, prediction, batch.weights[i] ?? null);
      const own = loss.compute(prediction, target, mask, weights);
      weighted.push(weight === 1 ? own : mul(own, weight));
      return { loss: own.item(), count: loss.divisor(prediction, target, mask, weights) };
    });
    const own = weighted.reduce((a, b) => add(a, b));
    const added = terms.length > 0 ? terms.reduce((a, b) => add(a, b)) : null;
    const total = added ? add(own, added) : own;
    const single = parts.length === 1 && this.outputs[0].weight === 1 && !added;
    return {
      total,
      loss: single ? parts[0].loss : total.item(),
      parts,
      added: added?.item() ?? 0,
      // Several outputs may count differently: then each batch counts for its examples.
      count: parts.length === 1 ? parts[0].count : batch.examples,
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
      `The model has ${outputs} outputs, ${this.outputs.length} of them with a loss, and y has ${targets} ` +
        'tensors. ' +
        'Give one target for each loss: a list of tensors in the order of the outputs.',
      { outputs, losses: this.outputs.length, targets },
    );
  }
}

/** Targets [N] beside predictions [N, 1] are meant as a column; so at any depth. */
export function asColumn(target: Tensor, prediction: Shape): Tensor {
  const lacksOne = target.rank === prediction.length - 1 && prediction.at(-1) === 1;
  return lacksOne ? reshape(target, [...target.shape, 1]) : target;
}

/** The loss of each output, null where it has none; a single one is that of the first. */
export function lossByOutput(
  loss: ObjectiveOptions['loss'],
  names: readonly string[],
): readonly (LossSpec | null)[] {
  return isPerOutput(loss) ? byOutput('loss', loss, names) : [loss];
}

function isPerOutput(loss: LossSpec | PerOutput<LossSpec>): loss is PerOutput<LossSpec> {
  return typeof loss === 'object' && (Array.isArray(loss) || !('name' in loss));
}

/** One entry per output, in the model's order. */
export function byOutput<T>(what: string, values: PerOutput<T>, names: readonly string[]): (T | null)[] {
  if (Array.isArray(values)) {
    if (values.length === names.length) return [...(values as readonly (T | null)[])];
    throw valueError(`${what} has ${values.length} entries, and the model has ${names.length} outputs.`, {
      [what]: values.length,
      outputs: names,
    });
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
