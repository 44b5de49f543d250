/**
 * The base class of layers: parameters and a function from values to values. A layer creates its parameters when it
 * first knows the shape of its input. A layer object that is used several times shares its weights. A model is a
 * layer made of layers, so models can be nested.
 */
import {
  div,
  type ErrorCode,
  type ForwardContext,
  formatShape,
  type MaskedSequence,
  Parameter,
  type RandomStream,
  type Shape,
  type Tensor,
  UnrollError,
} from '@unroll/core';
import { noLoss, sizeOf } from '@unroll/core/internal';
import { builders, constraint, regularizer } from './builders.js';
import type { ParameterOptions } from './cells/cell.js';
import type { ApplyOptions, GraphNode, SymbolicTensor } from './graph.js';
import type { Initializer } from './initializers.js';
import { cleanConfig } from './json.js';
import { type Memory, nextMemory } from './memory.js';
import type { Network } from './network.js';
import type { Regularizer } from './regularizers.js';
import type { WeightArray, WeightSource } from './weights.js';

/** Options of every layer. */
export interface LayerOptions {
  /** Name in summaries, errors and artifacts. Default: the class name in lower case, numbered within its model. */
  name?: string;
  /** If false, training does not change the layer's weights. Default true. */
  trainable?: boolean;
  /** Penalty on each output of the layer, divided by the batch size and added to the loss. Default: none. */
  activityRegularizer?: Regularizer | null;
}

/** JSON from which a layer can be rebuilt. */
export type LayerConfig = {
  /** Keras's class name: `LSTM`, `Dense`, ... */
  className: string;
  config: Record<string, unknown>;
};

export abstract class Layer<O extends LayerOptions = LayerOptions> {
  /** Keras's class name: `LSTM`, `Dense`, ... Configs refer to the class by this name. */
  static readonly className: string = 'Layer';
  /** Empty until the user or a model sets it. */
  name: string;
  /** @internal True if the name was generated; a model may then number it. */
  autoNamed: boolean;
  built = false;
  /** Names of the constants that the layer takes as its last inputs; see {@link Cell}. Absent: none. */
  declare readonly constants?: readonly string[];
  /** @internal Its nodes in functional graphs, and the sequential models that contain it. */
  readonly nodes: GraphNode[] = [];
  readonly chains: Network[] = [];
  protected readonly options: Readonly<O>;
  readonly #own: { parameter: Parameter; trainable: boolean }[] = [];
  #all: readonly Parameter[] | null = null;
  readonly #activity: ((output: Tensor) => Tensor) | null;
  #trainable: boolean;
  #building: { random: RandomStream | WeightSource | null; path: string } | null = null;

  constructor(options: O) {
    this.options = options;
    this.name = options.name ?? '';
    this.autoNamed = !options.name;
    this.#trainable = options.trainable ?? true;
    const { activityRegularizer } = options;
    this.#activity = activityRegularizer ? regularizer(activityRegularizer, this.label) : null;
  }

  get className(): string {
    return (this.constructor as typeof Layer).className;
  }

  /** The layer in messages. */
  get label(): string {
    return `Layer ${this.name || this.className}`;
  }

  /** The inner layers. */
  get sublayers(): readonly Layer[] {
    return [];
  }

  /** The parameters, in the order of Keras's weights; empty until built. */
  get parameters(): readonly Parameter[] {
    if (this.#all) return this.#all;
    const inner = this.sublayers.flatMap((layer) => layer.parameters);
    const all = [...new Set([...this.#own.map(({ parameter }) => parameter), ...inner])];
    if (this.built) this.#all = all;
    return all;
  }

  /** True if training changes the layer's weights. Setting it also applies to the inner layers. */
  get trainable(): boolean {
    return this.#trainable;
  }
  set trainable(value: boolean) {
    this.#trainable = value;
    for (const { parameter, trainable } of this.#own) parameter.trainable = value && trainable;
    for (const layer of this.sublayers) layer.trainable = value;
  }

  /**
   * Shapes of the outputs for inputs of these shapes ([batch, ...]; -1: any size). Throws if the shapes do not fit
   * the layer.
   */
  abstract outputShapes(inputs: readonly Shape[]): Shape[];

  /** Computes the outputs with their masks. Models call {@link invoke}, which checks the inputs first. */
  abstract call(inputs: readonly MaskedSequence[], context: ForwardContext): MaskedSequence[];

  /** Creates the parameters with {@link addParameter}. */
  protected makeParameters(_inputs: readonly Shape[]): void {}

  /**
   * Builds the layer for inputs of these shapes, once.
   * @param random source of the weights: a random stream for the initialisers, or a file; null: zeros, for weights
   * that are set afterwards. Default: a random stream with seed 0
   * @param path name of the layer in its model, a prefix of its parameters' names
   */
  build(
    inputs: readonly Shape[],
    random?: RandomStream | WeightSource | null,
    path: string = this.name || this.className.toLowerCase(),
  ): void {
    if (this.built) return;
    this.outputShapes(inputs);
    const source = random === undefined ? builders(this.label).stream(0, this.name) : random;
    this.#building = { random: source, path };
    this.makeParameters(inputs);
    this.#building = null;
    this.built = true;
  }

  /** Called in {@link makeParameters}: creates a parameter of this layer. */
  protected addParameter(
    name: string,
    shape: Shape,
    initializer: Initializer,
    options: ParameterOptions = {},
  ): Parameter {
    const { random, path } = this.#building!;
    const values =
      random === null
        ? new Float32Array(sizeOf(shape))
        : 'values' in random
          ? random.values(`${path}/${name}`, shape)
          : builders(this.label).initialize(initializer, shape, random.child(name), this.label);
    const trainable = options.trainable ?? true;
    const parameter = new Parameter(`${path}/${name}`, shape, values, trainable && this.trainable);
    const format = random && 'values' in random && random.formatOf?.(parameter.name);
    if (format) parameter.setWeightFormat(format);
    if (options.regularizer) parameter.regularizer = regularizer(options.regularizer, this.label);
    if (options.constraint) parameter.constraint = constraint(options.constraint, this.label);
    this.#own.push({ parameter, trainable });
    return parameter;
  }

  /** Called in {@link makeParameters}: builds an inner layer. */
  protected buildInner(layer: Layer, inputs: readonly Shape[], part: string): void {
    const { random, path } = this.#building!;
    const inner = random && !('values' in random) ? random.child(part) : random;
    layer.build(inputs, inner, path ? `${path}/${part}` : part);
    if (!this.trainable) layer.trainable = false;
  }

  /**
   * Builds the layer on the first call, checks shapes and masks, runs {@link call} and adds the activity regulariser.
   */
  invoke(inputs: readonly MaskedSequence[], context: ForwardContext): MaskedSequence[] {
    this.#check(inputs);
    const outputs = this.call(inputs, context);
    if (this.#activity && context.addLoss !== noLoss)
      for (const { value } of outputs) context.addLoss(div(this.#activity(value), value.shape[0]));
    return outputs;
  }

  /**
   * Adds the layer to a graph of symbolic tensors. The result can be destructured if there are several outputs:
   * `const [y, h] = ...`.
   */
  apply(inputs: SymbolicTensor | readonly SymbolicTensor[], options?: ApplyOptions): SymbolicTensor {
    return builders(this.label).apply(this, inputs, options);
  }

  /**
   * The output of the layer in its model, for another model with the same weights:
   * `model({ inputs: whole.inputs, outputs: whole.getLayer('lstm').output })`. The first one if there are several.
   * @throws UnrollError `state` for a layer that is in no model or is used several times, or if the shape of the
   * model's input is unknown
   */
  get output(): SymbolicTensor {
    return builders(this.label).outputOf(this);
  }

  /**
   * For streams: which outputs have a time axis, given which inputs have one (null: constant during the stream).
   * Custom layers that process each step independently return `inputs`.
   * @throws UnrollError `state` if the layer is non-causal: it needs the whole sequence before its first output
   */
  streaming(_inputs: readonly (boolean | null)[]): boolean[] {
    throw this.nonCausal('has no streaming() method');
  }

  /** Processes one chunk of a stream. `memory` holds the state after the previous chunk and is updated. */
  streamStep(inputs: readonly MaskedSequence[], _memory: Memory, context: ForwardContext): MaskedSequence[] {
    return this.invoke(inputs, context);
  }

  /** Resets the states that stateful layers keep between calls. */
  resetStates(): void {
    for (const layer of this.sublayers) layer.resetStates();
  }

  /** The states that stateful layers keep between calls, for checkpoints. Setting them restores the states. */
  get carriedStates(): Memory {
    return nextMemory(this.sublayers.map((layer) => [layer.name, layer.carriedStates]));
  }
  set carriedStates(memory: Memory) {
    for (const layer of this.sublayers) {
      const part = memory.parts[layer.name];
      if (part) layer.carriedStates = part;
    }
  }

  /** The weights, in Keras's order and layout. */
  getWeights(): WeightArray[] {
    return this.parameters.map((p) => ({ name: p.name, shape: p.shape, values: p.dataSync() }));
  }

  /**
   * Sets the weights from arrays in the order of {@link getWeights}.
   * @throws UnrollError `shape` if the number of arrays or a shape differs, `nan` for values that are not finite
   */
  setWeights(weights: readonly { shape: Shape; values: ArrayLike<number> }[]): void {
    builders(this.label).setWeights(this, weights);
  }

  /** Number of parameters, including those that are not trainable. */
  countParams(): number {
    return this.parameters.reduce((total, parameter) => total + parameter.size, 0);
  }

  /** JSON from which this layer can be rebuilt (without its weights). */
  get config(): LayerConfig {
    return {
      className: this.className,
      config: { ...cleanConfig(this.options), ...(this.name && { name: this.name }) },
    };
  }

  /** An error that names this layer. */
  protected error(code: ErrorCode, message: string, data: Record<string, unknown> = {}): UnrollError {
    return new UnrollError(code, `${this.label}: ${message}`, { layer: this.name, ...data });
  }

  /** A shape error that names this layer, the expected shape and the actual one. */
  protected shapeError(got: Shape, expected: string, remedy = ''): UnrollError {
    const message = `expected ${expected}, got ${formatShape(got)}.${remedy && ` ${remedy}`}`;
    return this.error('shape', message, { got, expected });
  }

  /** The error of a layer that does not support streams. */
  protected nonCausal(why: string): UnrollError {
    return this.error('state', `cannot be streamed: it ${why}. Use predict() on whole sequences.`);
  }

  #check(inputs: readonly MaskedSequence[]): void {
    const shapes = inputs.map((input) => input.value.shape);
    this.outputShapes(shapes);
    if (!this.built) this.build(shapes.map((shape) => [-1, ...shape.slice(1)]));
    for (const { value, mask } of inputs) {
      if (mask === null || (mask.rank === 2 && mask.shape.every((extent, d) => extent === value.shape[d])))
        continue;
      throw this.shapeError(
        mask.shape,
        `a mask [batch, time] of shape ${formatShape(value.shape.slice(0, 2))} for a sequence ${formatShape(value.shape)}`,
        'Give one number per step: 1 for valid steps, 0 for padding.',
      );
    }
  }
}
