/**
 * The base class of models. It implements names, initial weights, regularisation losses, streams and summaries.
 * Sequential and functional models define the layers and how values pass through them.
 */
import {
  type ForwardContext,
  formatShape,
  type MaskedSequence,
  type Model,
  type ModelState,
  type RandomStream,
  type Shape,
  shapeError,
  type Tensor,
  valueError,
} from '@unroll/core';
import { ignoreLoss } from '@unroll/core/internal';
import { Layer, type LayerOptions } from './layer.js';
import type { Memory } from './memory.js';
import { optionalFunctions } from './optional-functions.js';
import { Stream, type StreamOptions } from './stream.js';
import type { SummaryRow } from './summary.js';
import type { WeightSource } from './weights.js';

export interface NetworkOptions extends LayerOptions {
  /** Seed of the initial weights. Default 0. */
  seed?: number;
}

export abstract class Network<O extends NetworkOptions = NetworkOptions> extends Layer<O> implements Model {
  abstract readonly layers: readonly Layer[];
  /** Shapes of the inputs; null if they are unknown until the model is built. */
  abstract readonly inputShapes: readonly Shape[] | null;

  /** Names of the inputs; null if the model has a single, unnamed input. */
  get inputNames(): readonly string[] | null {
    return null;
  }

  constructor(options: O) {
    super(options);
    if (this.name === '') this.name = defaultName(this);
  }

  override get label(): string {
    return `Model ${this.name}`;
  }

  override get sublayers(): readonly Layer[] {
    return this.layers;
  }

  /** The parameters of all layers, in the order of Keras's weights; empty while the shapes of the inputs are unknown. */
  override get parameters() {
    if (!this.built && this.inputShapes) this.build(this.inputShapes);
    return super.parameters;
  }

  /**
   * Creates all parameters for inputs of these shapes: [batch, ...], -1: any size. Default: `inputShapes`.
   */
  override build(
    inputs: readonly Shape[] = this.#knownShapes(),
    source?: RandomStream | WeightSource | null,
    path = '',
  ): void {
    if (this.built) return;
    const { seed = 0 } = this.options;
    const weights =
      source === undefined ? optionalFunctions(this.label).randomStream(seed, 'weights') : source;
    super.build(inputs, weights, path);
  }

  /** Computes the outputs for a batch. Adds regularisation losses to the context. */
  forward(inputs: readonly MaskedSequence[], context: ForwardContext): MaskedSequence[] {
    const outputs = this.invoke(inputs, context);
    if (context.addLoss === ignoreLoss) return outputs;
    for (const parameter of this.parameters) {
      if (parameter.trainable && parameter.regularizer) context.addLoss(parameter.regularizer(parameter));
    }
    return outputs;
  }

  /** Computes the outputs of the next steps of sequences, for truncated backpropagation: see {@link Model.forwardFrom}. */
  forwardFrom(
    inputs: readonly MaskedSequence[],
    context: ForwardContext,
    state: ModelState | null,
  ): { outputs: MaskedSequence[]; state: Memory } {
    return optionalFunctions(this.label).forwardFrom(this, inputs, context, state);
  }

  /** Returns the layer with this name. @throws UnrollError `value` for an unknown name; the message lists the names */
  getLayer(name: string): Layer {
    const found = this.layers.find((layer) => layer.name === name);
    if (found) return found;
    const names = this.layers.map((layer) => layer.name).join(', ');
    throw valueError(`${this.label} has no layer "${name}". Its layers are ${names}.`, { name });
  }

  /**
   * Creates a stream of the model: see {@link Stream}.
   * @throws UnrollError `state` for the first layer that needs the whole sequence
   */
  stream(options?: StreamOptions): Stream {
    return new Stream(this, options);
  }

  /** Returns all inputs for one call of a stream, in the model's order. @param fixed the fixed inputs, by name */
  streamInputs(
    pushed: readonly MaskedSequence[],
    _fixed: Readonly<Record<string, Tensor>>,
  ): readonly MaskedSequence[] {
    return pushed;
  }

  /** Returns a table of layers, output shapes and numbers of parameters, 80 columns wide. */
  summary(): string {
    return optionalFunctions(this.label).summary(this);
  }

  /** Returns the rows of the summary: the layers in order, with the shapes of their outputs. */
  summaryRows(): SummaryRow[] {
    return optionalFunctions(this.label).summaryRows(this);
  }

  #knownShapes(): readonly Shape[] {
    if (this.inputShapes) return this.inputShapes;
    throw this.error(
      'state',
      'the shape of its input is unknown. Call build([[-1, ...]]), or begin with input().',
    );
  }
}

/** Returns the default name of a layer: its class name in snake case, such as `batch_normalization` or `conv1d`. */
function defaultName(layer: Layer): string {
  return layer.className.replace(/([a-z])([A-Z])/g, '$1_$2').toLowerCase();
}

/**
 * Gives each unnamed layer a unique default name, then calls {@link Layer.connect} of each layer.
 * @throws UnrollError `value` if two layers have the same name
 */
export function nameLayers(layers: readonly Layer[]): void {
  const usedNames = new Set<string>();
  const isUnnamed = (layer: Layer): boolean => layer.autoNamed && !layer.built;
  for (const layer of layers) {
    if (isUnnamed(layer)) continue;
    if (usedNames.has(layer.name)) {
      throw valueError(`Two layers are named "${layer.name}". Give one of them another name.`, {
        name: layer.name,
      });
    }
    usedNames.add(layer.name);
  }
  const counts = new Map<string, number>();
  for (const layer of layers.filter(isUnnamed)) {
    const base = defaultName(layer);
    let count = counts.get(base) ?? 0;
    const numbered = (): string => (count === 0 ? base : `${base}_${count}`);
    while (usedNames.has(numbered())) count++;
    layer.name = numbered();
    layer.autoNamed = false;
    usedNames.add(layer.name);
    counts.set(base, count + 1);
  }
  for (const layer of layers) layer.connect?.(layers);
}

/** Checks `shape` against the declared shape of an input (-1: any size). @throws UnrollError `shape` if they differ */
export function checkInputShape(
  model: Network,
  { name, shape: expected }: { name: string; shape: Shape },
  shape: Shape,
): void {
  const fits =
    shape.length === expected.length &&
    shape.every((extent, d) => extent === expected[d] || extent === -1 || expected[d] === -1);
  if (fits) return;
  throw shapeError(
    `${model.label}: input "${name}" expects ${formatShape(expected)} (-1: any), got ${formatShape(shape)}.`,
    { model: model.name, input: name, expected, got: shape },
  );
}
