/**
 * The base class of layers. A layer has parameters, which it creates once the shape of its input is known, and computes
 * outputs from inputs. A layer object that is used several times shares its weights. A model is a layer that contains
 * layers, so models can be nested.
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
import { ignoreLoss, sizeOf } from '@unroll/core/internal';
import type { ParameterOptions } from './cells/cell.js';
import type { ApplyOptions, GraphNode, SymbolicTensor } from './graph.js';
import type { Initializer } from './initializers.js';
import { cleanConfig } from './json.js';
import { type Memory, memoryOfParts } from './memory.js';
import type { Network } from './network.js';
import { constraint, optionalFunctions, regularizer } from './optional-functions.js';
import type { Regularizer } from './regularizers.js';
import type { WeightArray, WeightSource } from './weights.js';

/** Options of every layer. */
export interface LayerOptions {
  /** Name in summaries, errors and artifacts. Default: the class name in snake case, numbered within its model. */
  name?: string;
  /** If false, training does not change the layer's weights. Default true. */
  trainable?: boolean;
  /** Penalty on each output of the layer, divided by the batch size and added to the loss. Default: none. */
  activityRegularizer?: Regularizer | null;
}

/** JSON from which a layer can be recreated. */
export type LayerConfig = {
  /** Keras's class name: `LSTM`, `Dense`, ... */
  className: string;
  config: Record<string, unknown>;
};

export abstract class Layer<O extends LayerOptions = LayerOptions> {
  /** Keras's class name: `LSTM`, `Dense`, ... Configs refer to the class by this name. */
  static readonly className: string = 'Layer';
  /** Name of the layer; empty until the user or a model sets it. */
  name: string;
  /** @internal True if the user did not set the name: a model may then set and number it. */
  autoNamed: boolean;
  /** True if the parameters have been created. */
  built = false;
  /** Names of the constants that the layer takes as its last inputs (see {@link Cell}). Default: none. */
  declare readonly constants?: readonly string[];
  /** @internal The nodes of this layer in functional graphs. */
  readonly nodes: GraphNode[] = [];
  /** @internal The sequential models that contain this layer. */
  readonly parents: Network[] = [];
  protected readonly options: Readonly<O>;
  readonly #ownParameters: { parameter: Parameter; trainable: boolean }[] = [];
  /** Cached result of `parameters`. */
  #allParameters: readonly Parameter[] | null = null;
  readonly #activityPenalty: ((output: Tensor) => Tensor) | null;
  #trainable: boolean;
  /** Source of the weights and path of the layer; set while the layer is being built. */
  #building: { source: RandomStream | WeightSource | null; path: string } | null = null;

  constructor(options: O) {
    this.options = options;
    this.name = options.name ?? '';
    this.autoNamed = !options.name;
    this.#trainable = options.trainable ?? true;
    const { activityRegularizer } = options;
    this.#activityPenalty = activityRegularizer ? regularizer(activityRegularizer, this.label) : null;
  }

  get className(): string {
    return (this.constructor as typeof Layer).className;
  }

  /** How messages refer to the layer. */
  get label(): string {
    return `Layer ${this.name || this.className}`;
  }

  /** The layers that this layer contains. */
  get sublayers(): readonly Layer[] {
    return [];
  }

  /** The parameters, in the order of Keras's weights; empty until built. */
  get parameters(): readonly Parameter[] {
    if (this.#allParameters) return this.#allParameters;
    const inner = this.sublayers.flatMap((layer) => layer.parameters);
    const all = [...new Set([...this.#ownParameters.map(({ parameter }) => parameter), ...inner])];
    if (this.built) this.#allParameters = all;
    return all;
  }

  /** True if training changes the layer's weights. Setting this property also sets it in the inner layers. */
  get trainable(): boolean {
    return this.#trainable;
  }
  set trainable(value: boolean) {
    this.#trainable = value;
    for (const { parameter, trainable } of this.#ownParameters) parameter.trainable = value && trainable;
    for (const layer of this.sublayers) layer.trainable = value;
  }

  /**
   * Returns the shapes of the outputs for inputs of these shapes ([batch, ...]; -1: any size). Throws if the shapes do
   * not fit the layer.
   */
  abstract outputShapes(inputs: readonly Shape[]): Shape[];

  /** Computes the outputs and their masks. Models call {@link invoke}, which checks the inputs first. */
  abstract call(inputs: readonly MaskedSequence[], context: ForwardContext): MaskedSequence[];

  /**
   * Finds the layers that this layer refers to by name, such as the embedding in the option `tiedTo` of `outputEmbedding`.
   * A model calls this method after it has named its layers.
   * @param layers the layers of the model
   */
  connect?(layers: readonly Layer[]): void;

  /** Creates the parameters with {@link addParameter}. */
  protected makeParameters(_inputs: readonly Shape[]): void {}

  /**
   * Builds the layer for inputs of these shapes, once.
   * @param source source of the weights: a random stream for the initialisers, or loaded weights; null: zeros, for
   * weights that are set afterwards. Default: a random stream with seed 0
   * @param path path of the layer in its model, the prefix of the names of its parameters
   */
  build(
    inputs: readonly Shape[],
    source?: RandomStream | WeightSource | null,
    path: string = this.name || this.className.toLowerCase(),
  ): void {
    if (this.built) return;
    this.outputShapes(inputs);
    const weights = source === undefined ? optionalFunctions(this.label).randomStream(0, this.name) : source;
    this.#building = { source: weights, path };
    this.makeParameters(inputs);
    this.#building = null;
    this.built = true;
  }

  /** Creates a parameter of this layer. Called in {@link makeParameters}. */
  protected addParameter(
    name: string,
    shape: Shape,
    initializer: Initializer,
    options: ParameterOptions = {},
  ): Parameter {
    const { source, path } = this.#building!;
    const values =
      source === null
        ? new Float32Array(sizeOf(shape))
        : 'values' in source
          ? source.values(`${path}/${name}`, shape)
          : optionalFunctions(this.label).initialize(initializer, shape, source.child(name), this.label);
    const trainable = options.trainable ?? true;
    const parameter = new Parameter(`${path}/${name}`, shape, values, trainable && this.trainable);
    const format = source && 'values' in source && source.formatOf?.(parameter.name);
    if (format) parameter.setWeightFormat(format);
    if (options.regularizer) parameter.regularizer = regularizer(options.regularizer, this.label);
    if (options.constraint) parameter.constraint = constraint(options.constraint, this.label);
    this.#ownParameters.push({ parameter, trainable });
    return parameter;
  }

  /** Builds an inner layer. Called in {@link makeParameters}. */
  protected buildInner(layer: Layer, inputs: readonly Shape[], name: string): void {
    const { source, path } = this.#building!;
    const innerSource = source && !('values' in source) ? source.child(name) : source;
    layer.build(inputs, innerSource, path ? `${path}/${name}` : name);
    if (!this.trainable) layer.trainable = false;
  }

  /**
   * Checks shapes and masks, builds the layer on the first call, runs {@link call} and adds the activity penalty to the
   * loss.
   */
  invoke(inputs: readonly MaskedSequence[], context: ForwardContext): MaskedSequence[] {
    this.#check(inputs);
    return this.penalise(this.call(inputs, context), context);
  }

  /** @internal Adds the activity penalty of these outputs to the loss. Returns the outputs. */
  penalise(outputs: MaskedSequence[], context: ForwardContext): MaskedSequence[] {
    if (this.#activityPenalty && context.addLoss !== ignoreLoss)
      for (const { value } of outputs) context.addLoss(div(this.#activityPenalty(value), value.shape[0]));
    return outputs;
  }

  /**
   * Adds the layer to a graph of symbolic tensors and returns its output. If the layer has several outputs, destructure
   * the result: `const [y, h] = ...`.
   */
  apply(inputs: SymbolicTensor | readonly SymbolicTensor[], options?: ApplyOptions): SymbolicTensor {
    return optionalFunctions(this.label).apply(this, inputs, options);
  }

  /**
   * The (first) output of the layer in its model, for another model that shares its weights:
   * `model({ inputs: classifier.inputs, outputs: classifier.getLayer('lstm').output })`.
   * @throws UnrollError `state` if the layer is not in a model or is used several times, or if the shape of the model's
   * input is unknown
   */
  get output(): SymbolicTensor {
    return optionalFunctions(this.label).outputOf(this);
  }

  /**
   * Returns for each output whether it has a time axis in a stream. `inputs` contains the same for the inputs; null marks
   * an input that is constant during the stream. Custom layers that process each step independently return `inputs`.
   * @throws UnrollError `state` if the layer is non-causal: it needs the whole sequence before its first output
   */
  streaming(_inputs: readonly (boolean | null)[]): boolean[] {
    throw this.nonCausal('has no streaming() method');
  }

  /**
   * Processes one chunk of a stream. `memory` holds the state after the previous chunk and is updated. Models also call
   * this method in training (see {@link Network.forwardFrom}), and add the activity penalty.
   */
  streamStep(inputs: readonly MaskedSequence[], _memory: Memory, context: ForwardContext): MaskedSequence[] {
    this.#check(inputs);
    return this.call(inputs, context);
  }

  /** Resets the states that stateful layers keep between calls. */
  resetStates(): void {
    for (const layer of this.sublayers) layer.resetStates();
  }

  /** The states that stateful layers keep between calls, for checkpoints. Set this property to restore them. */
  get carriedStates(): Memory {
    return memoryOfParts(this.sublayers.map((layer) => [layer.name, layer.carriedStates]));
  }
  set carriedStates(memory: Memory) {
    for (const layer of this.sublayers) {
      const part = memory.parts[layer.name];
      if (part) layer.carriedStates = part;
    }
  }

  /** Returns the weights, in Keras's order and layout. */
  getWeights(): WeightArray[] {
    return this.parameters.map((p) => ({ name: p.name, shape: p.shape, values: p.dataSync() }));
  }

  /**
   * Sets the weights from arrays in the order of {@link getWeights}.
   * @throws UnrollError `shape` if the number of arrays or a shape differs, `nan` for values that are not finite
   */
  setWeights(weights: readonly { shape: Shape; values: ArrayLike<number> }[]): void {
    optionalFunctions(this.label).setWeights(this, weights);
  }

  /** Returns the number of weights, including those that are not trainable. */
  countParams(): number {
    return this.parameters.reduce((total, parameter) => total + parameter.size, 0);
  }

  /** JSON from which this layer can be recreated, without its weights. */
  get config(): LayerConfig {
    return {
      className: this.className,
      config: { ...cleanConfig(this.options), ...(this.name && { name: this.name }) },
    };
  }

  /** Creates an error that names this layer. */
  protected error(code: ErrorCode, message: string, data: Record<string, unknown> = {}): UnrollError {
    return new UnrollError(code, `${this.label}: ${message}`, { layer: this.name, ...data });
  }

  /** Creates a shape error that names this layer, the expected shape and the actual one. */
  protected shapeError(got: Shape, expected: string, remedy = ''): UnrollError {
    const message = `expected ${expected}, got ${formatShape(got)}.${remedy && ` ${remedy}`}`;
    return this.error('shape', message, { got, expected });
  }

  /** Creates the error of a layer that does not support streams. @param reason completes the sentence 'it ...' */
  protected nonCausal(reason: string): UnrollError {
    return this.error('state', `cannot be streamed: it ${reason}. Use predict() on whole sequences.`, {
      reason,
    });
  }

  /** Checks the shapes of inputs and masks, and builds the layer if needed. */
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
