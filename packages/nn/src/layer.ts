/**
 * The layer: something with parameters that turns values into values. Layers make their parameters when they first learn
 * the shape of their input; the same layer object may stand in several places and then shares its weights.
 */
import {
  type Flow,
  type ForwardContext,
  formatShape,
  Parameter,
  RandomStream,
  type Shape,
  UnrollError,
} from '@unroll/core';
import { type Initializer, initialize } from './initializers.js';

/** Options that every layer takes. */
export interface LayerOptions {
  /** Name in summaries, errors and artifacts. Default: the kind of layer, numbered. */
  name?: string;
  /** False: the layer's weights are not trained. Default true. */
  trainable?: boolean;
}

/** JSON that rebuilds a layer. */
export interface LayerConfig {
  /** Keras's class name: `LSTM`, `Dense`, ... */
  className: string;
  config: Record<string, unknown>;
}

export abstract class Layer {
  /** Keras's class name. */
  abstract readonly className: string;
  name: string;
  built = false;
  readonly trainable: boolean;
  protected readonly options: Readonly<LayerOptions>;
  readonly #parameters: Parameter[] = [];
  #random: RandomStream | null = null;

  constructor(options: LayerOptions) {
    this.options = options;
    this.name = options.name ?? '';
    this.trainable = options.trainable ?? true;
  }

  /** The parameters in Keras's order of weights; empty until built. */
  get parameters(): readonly Parameter[] {
    return this.#parameters;
  }

  /** Shapes of the outputs for inputs of these shapes ([batch, ...]; -1: any extent). Throws where they do not fit. */
  abstract outputShapes(inputs: readonly Shape[]): Shape[];

  /** Makes the parameters. */
  protected abstract makeParameters(inputs: readonly Shape[]): void;

  /** Outputs for inputs; a sequence's mask travels beside it. */
  abstract call(inputs: readonly Flow[], context: ForwardContext): Flow[];

  /** Builds the layer for inputs of these shapes, once; initial weights come from `random`. */
  build(inputs: readonly Shape[], random: RandomStream = new RandomStream(0, this.name)): void {
    if (this.built) return;
    this.outputShapes(inputs);
    this.#random = random;
    this.makeParameters(inputs);
    this.#random = null;
    this.built = true;
  }

  protected addParameter(name: string, shape: Shape, initializer: Initializer, trainable = true): Parameter {
    const values = initialize(initializer, shape, this.#random!.child(name));
    const parameter = new Parameter(`${this.name}/${name}`, shape, values, trainable && this.trainable);
    this.#parameters.push(parameter);
    return parameter;
  }

  /** JSON that rebuilds this layer (without its weights). */
  get config(): LayerConfig {
    return { className: this.className, config: { ...this.options, name: this.name } };
  }

  /** An error that names this layer, what came and what was expected. */
  protected shapeError(got: Shape, expected: string): UnrollError {
    return new UnrollError(
      'shape',
      `Layer ${this.name || this.className}: expected ${expected}, got ${formatShape(got)}.`,
      { layer: this.name, got, expected },
    );
  }
}
