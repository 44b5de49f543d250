/**
 * The training objective: a weighted sum of the losses of the model's outputs, plus the terms that layers and regularisers
 * add.
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
import type { Loss, LossContext } from './losses/loss.js';
import { LOSS_PREFIX, lossParameterMaker, storedValues } from './losses/parameters.js';
import { type ClassWeights, combineWeights } from './losses/row-factors.js';
import { type LossSpec, resolveLoss } from './losses.js';

/**
 * A value for each output of the model: a list in the order of the outputs, or an object whose keys are their names. If an
 * entry is null or a name is missing, this output has no value.
 */
export type PerOutput<T> = readonly (T | null)[] | Readonly<Record<string, T | null>>;

export interface ObjectiveOptions {
  /** The loss of the first output, or the losses of several outputs. An output without a loss is not trained. */
  loss: LossSpec | PerOutput<LossSpec>;
  /** Weight of each output's loss in the total. Default 1. */
  lossWeights?: PerOutput<number>;
  /**
   * Weights of the classes in the loss, by class index. Allowed only if one output has a loss. They do not apply to the
   * validation loss. Default 1.
   */
  classWeights?: ClassWeights;
}

/** An output that has a loss. */
interface Output {
  name: string;
  loss: Loss;
  weight: number;
  /** Index among all outputs of the model. */
  index: number;
}

interface BatchCount {
  /** Weight of the batch if gradients of several batches are accumulated. */
  count: number;
  /** Number of examples. */
  examples: number;
}

/** The losses of one batch, as scalars. */
export interface BatchLoss extends BatchCount {
  /** The total loss, from which the gradients are computed. */
  total: Tensor;
  /** The loss of each output that has one, not multiplied by its weight. */
  parts: readonly Tensor[];
  /** For each of `parts`: the weight in an average over batches. */
  counts: readonly number[];
  /** Sum of the terms added by the model's layers and by the regularisers of the losses' parameters; null: none. */
  added: Tensor | null;
}

/** {@link BatchLoss} as numbers. */
export interface LossValues extends BatchCount {
  /** The total loss. */
  loss: number;
  parts: readonly OutputLoss[];
  /** Sum of the terms added by the model's layers and by the regularisers of the losses' parameters; 0 if there are none. */
  added: number;
}

/** The loss of one output for a batch, or a sum over batches. */
export interface OutputLoss {
  loss: number;
  /** Weight in an average over batches. */
  count: number;
}

/** Returns the scalars of a batch, to read them from the backend together. {@link lossValues} expects this order. */
export function lossScalars({ total, parts, added }: BatchLoss): Tensor[] {
  const terms = added ? [...parts, added] : parts;
  return terms.length === 1 && terms[0] === total ? [total] : [total, ...terms];
}

/** Returns the losses of a batch as numbers, from the values of {@link lossScalars}. */
export function lossValues(
  { counts, added, count, examples }: BatchLoss,
  scalars: readonly ArrayLike<number>[],
): LossValues {
  const first = Math.min(1, scalars.length - 1); // 0 if the total is also the only part
  return {
    loss: scalars[0][0],
    parts: counts.map((count, i) => ({ loss: scalars[first + i][0], count })),
    added: added ? scalars[first + counts.length][0] : 0,
    count,
    examples,
  };
}

export class Objective {
  /** The outputs that have a loss. */
  readonly outputs: readonly Output[];
  readonly #classWeights: ClassWeights | null;

  /**
   * @param names names of the model's outputs; null: the model has one output without a name
   * @throws UnrollError `value` for invalid options
   */
  constructor({ loss, lossWeights, classWeights }: ObjectiveOptions, names: readonly string[] | null) {
    const outputNames = names ?? ['output'];
    const losses = lossByOutput(loss, outputNames);
    const weights = lossWeights ? byOutput('lossWeights', lossWeights, outputNames) : [];
    this.outputs = losses.flatMap((spec, index) =>
      spec === null
        ? []
        : [
            {
              name: outputNames[index] ?? `output${index + 1}`,
              loss: resolveLoss(spec),
              weight: weights[index] ?? 1,
              index,
            },
          ],
    );
    if (this.outputs.length === 0)
      throw valueError('No output has a loss, so there is nothing to train. Set the option loss.');
    const withoutReduction = this.outputs.find((output) => output.loss.config.reduction === 'none');
    if (withoutReduction)
      throw valueError(
        `${withoutReduction.loss.name}: training and evaluation need a reduction to one number, got reduction "none".`,
      );
    if (classWeights && this.outputs.length > 1) {
      throw valueError(
        'classWeights can only be used if exactly one output has a loss. Use sampleWeights instead.',
      );
    }
    const sequenceOutput = this.outputs.find((output) => output.loss.perSequence);
    if (classWeights && sequenceOutput) {
      throw valueError(
        `classWeights cannot be used with ${sequenceOutput.loss.name}, a loss of whole sequences. Use sampleWeights.`,
      );
    }
    this.#classWeights = classWeights ?? null;
  }

  /** The distinct parameters of the losses; empty before `build`. */
  get parameters(): readonly Parameter[] {
    return [...new Set(this.outputs.flatMap(({ loss }) => loss.parameters ?? []))];
  }

  /**
   * Creates the parameters of the losses, for a built model.
   * @param stored values of the parameters from a file, by name; null: initial values
   * @throws UnrollError `state` if a loss has parameters and the model cannot report its output shapes, `format` if the
   * names or shapes of the parameters in the file are not those of the losses
   */
  build(
    model: Model,
    inputs: readonly Shape[],
    stored: Readonly<Record<string, SavedTensor>> | null = null,
  ): void {
    const outputsToBuild = this.outputs.filter(({ loss }) => loss.build);
    if (outputsToBuild.length > 0) {
      const shapes = model.outputShapes?.(inputs);
      if (!shapes) {
        throw new UnrollError(
          'state',
          `${model.name} must have outputShapes() to build the parameters of the loss ${outputsToBuild[0].loss.name}.`,
        );
      }
      for (const { loss, name, index } of outputsToBuild)
        loss.build?.(shapes[index], lossParameterMaker(`${LOSS_PREFIX}${name}`, stored));
    }
    if (stored) this.#restore(model, stored);
  }

  /**
   * Assigns the values of a file. Needed for losses such as sampledSoftmax, which use the parameters of a layer, because these
   * parameters do not come from the parameter maker. Parameters that belong to the model as well are not in the file.
   */
  #restore(model: Model, stored: Readonly<Record<string, SavedTensor>>): void {
    const parameters = this.parameters;
    const existing = parameters.map(({ name }) => name);
    const extra = Object.keys(stored).find((name) => !existing.includes(name));
    if (extra !== undefined) {
      throw new UnrollError(
        'format',
        `The file has the loss parameter ${extra}, but the loss of the model has no such parameter.`,
        { name: extra },
      );
    }
    const inModel = new Set(model.parameters);
    const restored = parameters.filter(
      (parameter) => Object.hasOwn(stored, parameter.name) || !inModel.has(parameter),
    );
    const values = restored.map(({ name, shape }) => storedValues(stored, name, shape));
    for (const [i, parameter] of restored.entries()) parameter.assign(values[i]);
  }

  /** True if the total over batches is a sum (all losses have the reduction `sum`) instead of an average. */
  get addsBatchLosses(): boolean {
    return this.outputs.every(({ loss }) => loss.config.reduction === 'sum');
  }

  /**
   * Computes the losses of a batch.
   * @param outputs the outputs of the model
   * @param terms the terms that layers added to the loss
   * @param context the context of the forward pass
   */
  compute(
    outputs: readonly MaskedSequence[],
    batch: PreparedBatch,
    terms: readonly Tensor[],
    context: LossContext,
  ): BatchLoss {
    this.#checkCount(outputs.length, batch.targets.length);
    const weighted: Tensor[] = [];
    const counts: number[] = [];
    const parts = this.outputs.map(({ loss, weight, index }, i) => {
      const { value: prediction, mask } = outputs[index];
      const batchTarget = batch.targets[i];
      const target = loss.perSequence ? batchTarget : asColumn(batchTarget, prediction.shape);
      const weights = this.#weights(target, prediction, batch.weights[i] ?? null);
      const outputLoss = loss.compute(prediction, target, mask, weights, context);
      weighted.push(weight === 1 ? outputLoss : mul(outputLoss, weight));
      counts.push(loss.divisor(prediction, target, mask, weights));
      return outputLoss;
    });
    const dataLoss = weighted.reduce((a, b) => add(a, b));
    const penalties = this.parameters.flatMap((parameter) =>
      parameter.trainable && parameter.regularizer ? [parameter.regularizer(parameter)] : [],
    );
    const addedTerms = [...terms, ...penalties];
    const added = addedTerms.length > 0 ? addedTerms.reduce((a, b) => add(a, b)) : null;
    return {
      total: added ? add(dataLoss, added) : dataLoss,
      parts,
      counts,
      added,
      // The counts of several outputs may differ, so their batches are weighted by the number of examples.
      count: parts.length === 1 ? counts[0] : batch.examples,
      examples: batch.examples,
    };
  }

  /** Returns the sample weights of an output, multiplied by class weights if there are any. */
  #weights(target: Tensor, prediction: Tensor, weights: Tensor | null): Tensor | null {
    if (!this.#classWeights) return weights;
    return combineWeights(target, prediction.shape.slice(0, -1), this.#classWeights, weights);
  }

  /** Throws unless the batch has one target for each output with a loss. */
  #checkCount(outputs: number, targets: number): void {
    const last = this.outputs[this.outputs.length - 1].index;
    if (last < outputs && targets === this.outputs.length) return;
    throw valueError(
      `y must have one tensor for each of the ${this.outputs.length} outputs with a loss (the model has ${outputs} outputs), ` +
        `got ${targets}. Pass a list of tensors in the order of the outputs.`,
      { outputs, losses: this.outputs.length, targets },
    );
  }
}

/** Returns the distinct parameters of a model and of the losses of its outputs. */
export function allParameters(model: Model, objective: Objective): readonly Parameter[] {
  return [...new Set([...model.parameters, ...objective.parameters])];
}

/** Replaces loss names by loss objects, so that several objectives share the losses and their parameters. */
export function resolveLosses(loss: ObjectiveOptions['loss']): ObjectiveOptions['loss'] {
  if (!isPerOutput(loss)) return resolveLoss(loss);
  if (Array.isArray(loss)) return loss.map((spec: LossSpec | null) => spec && resolveLoss(spec));
  const byName = loss as Readonly<Record<string, LossSpec | null>>;
  return Object.fromEntries(Object.entries(byName).map(([name, spec]) => [name, spec && resolveLoss(spec)]));
}

/** Reshapes targets [...] for predictions [..., 1] to [..., 1]; returns other targets unchanged. */
export function asColumn(target: Tensor, prediction: Shape): Tensor {
  const lacksLastAxis = target.rank === prediction.length - 1 && prediction.at(-1) === 1;
  return lacksLastAxis ? reshape(target, [...target.shape, 1]) : target;
}

/** Returns the loss of each output; null for an output without a loss. A single loss belongs to the first output. */
export function lossByOutput(
  loss: ObjectiveOptions['loss'],
  names: readonly string[],
): readonly (LossSpec | null)[] {
  return isPerOutput(loss) ? byOutput('loss', loss, names) : [loss];
}

function isPerOutput(loss: LossSpec | PerOutput<LossSpec>): loss is PerOutput<LossSpec> {
  return typeof loss === 'object' && loss !== null && (Array.isArray(loss) || !('name' in loss));
}

/**
 * Returns one value per output, in the order of the model; null: no value.
 * @param what name of the option, for messages
 * @throws UnrollError `value` for a list of the wrong length or an unknown output name
 */
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
