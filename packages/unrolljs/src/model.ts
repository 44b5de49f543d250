/**
 * A model with training attached, in Keras's words: `compile`, `fit`, `predict`. Each method is a short call to a function of
 * @unroll/train or @unroll/core that may also be used on its own.
 */
import { type Shape, UnrollError } from '@unroll/core';
import { type Layer, Sequential, type SequentialOptions, type WeightArray } from '@unroll/nn';
import { type Clip, fit, type History, type Loss, type Optimizer, type TrainEvent } from '@unroll/train';
import { type LossName, type OptimizerName, resolveLoss, resolveOptimizer } from './compile.js';
import { InferenceModel } from './inference-model.js';
import { type ModelValues, toTensor, toTensors, type Values } from './values.js';

export interface CompileOptions {
  /** A name, for its default options, or an optimizer. Default `adam`. */
  optimizer?: OptimizerName | Optimizer;
  /** A name, for its default options, or a loss. */
  loss: LossName | Loss;
  /** Clip the gradients by the norm of all together. Default: none. */
  clip?: Clip;
}

export interface FitOptions {
  /** Passes over the data. Default 1. */
  epochs?: number;
  /** Examples per step. Default 32. */
  batchSize?: number;
  /** A new order of the examples in every epoch. Default true. */
  shuffle?: boolean;
  /** Seed of shuffles and dropout. Default 0. */
  seed?: number;
  /** Examples to measure the loss on after every epoch. */
  validationData?: readonly [ModelValues, Values];
  /** Stops the run after the current step. */
  signal?: AbortSignal;
  onEvent?: (event: TrainEvent) => void;
}

export class Model extends InferenceModel {
  #compiled: { optimizer: Optimizer; loss: Loss; clip?: Clip } | null = null;

  /** Says what to train with. May be called again; the weights stay. Returns the model. */
  compile({ optimizer = 'adam', loss, clip }: CompileOptions): this {
    this.#compiled = {
      optimizer: resolveOptimizer(optimizer),
      loss: resolveLoss(loss),
      ...(clip && { clip }),
    };
    return this;
  }

  /**
   * Trains on examples x and targets y, whose first axes count examples.
   * @throws UnrollError `state` before `compile`, `shape` where x, y and the model do not fit each other
   */
  fit(x: ModelValues, y: Values, { validationData, ...options }: FitOptions = {}): Promise<History> {
    const examples = { x: toTensors(x), y: toTensor(y) };
    const held = validationData && {
      validationData: { x: toTensors(validationData[0]), y: toTensor(validationData[1]) },
    };
    return fit(this.network, { ...this.#ready('fit'), ...examples, ...options, ...held });
  }

  #ready(method: string): { optimizer: Optimizer; loss: Loss; clip?: Clip } {
    if (this.#compiled) return this.#compiled;
    throw new UnrollError('state', `Call compile({ optimizer, loss }) before ${method}().`);
  }
}

/** A model of layers one after another, with its layers and weights at hand. */
export class SequentialModel extends Model {
  declare readonly network: Sequential;

  get layers(): readonly Layer[] {
    return this.network.layers;
  }

  /** The weights, in Keras's order and layout. */
  getWeights(): WeightArray[] {
    return this.network.getWeights();
  }

  /** Sets the weights from arrays in the order of {@link getWeights}; shapes must agree. */
  setWeights(weights: readonly { shape: Shape; values: ArrayLike<number> }[]): void {
    this.network.setWeights(weights);
  }

  /** Number of parameters, trainable or not. */
  countParams(): number {
    return this.network.countParams();
  }
}

/** A model of layers one after another. Shapes are worked out at the first call, or by `build`. */
export function sequential(layers: readonly Layer[], options?: SequentialOptions): SequentialModel {
  return new SequentialModel(new Sequential(layers, options));
}
