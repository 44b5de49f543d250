/**
 * The base class of models made of layers: names, initial weights, getting and setting weights, regularisation
 * losses, streams, summaries. Sequential and functional models define the layers and how values flow through them.
 */
import {
  type ForwardContext,
  type MaskedSequence,
  type Model,
  type RandomStream,
  type Shape,
  type Tensor,
  valueError,
} from '@unroll/core';
import { noLoss } from '@unroll/core/internal';
import { builders } from './builders.js';
import { Layer, type LayerOptions } from './layer.js';
import { Stream, type StreamOptions } from './stream.js';
import type { SummaryRow } from './summary.js';
import type { WeightSource } from './weights.js';

export interface NetworkOptions extends LayerOptions {
  /** Seed of the initial weights. Default 0: the same weights every time. */
  seed?: number;
}

export abstract class Network<O extends NetworkOptions = NetworkOptions> extends Layer<O> implements Model {
  abstract readonly layers: readonly Layer[];
  /** Shapes of the inputs, if the model knows them before it is built. */
  abstract readonly inputShapes: readonly Shape[] | null;

  /** Names of the inputs, for a model with several. */
  get inputNames(): readonly string[] | null {
    return null;
  }

  constructor(options: O) {
    super(options);
    if (this.name === '') this.name = kindOf(this);
  }

  override get label(): string {
    return `Model ${this.name}`;
  }

  override get sublayers(): readonly Layer[] {
    return this.layers;
  }

  /** The parameters of all layers, in the order of Keras's weights; empty until the shape of the inputs is known. */
  override get parameters() {
    if (!this.built && this.inputShapes) this.build(this.inputShapes);
    return super.parameters;
  }

  /**
   * Creates all parameters for inputs of these shapes, [batch, ...] with -1 for any size. Default: the known shapes.
   */
  override build(
    inputs: readonly Shape[] = this.#knownShapes(),
    random?: RandomStream | WeightSource | null,
    path = '',
  ): void {
    if (this.built) return;
    const { seed = 0 } = this.options;
    super.build(inputs, random === undefined ? builders(this.label).stream(seed, 'weights') : random, path);
  }

  /** The outputs for a batch. Regularisation losses are added to the context. */
  forward(inputs: readonly MaskedSequence[], context: ForwardContext): MaskedSequence[] {
    const outputs = this.invoke(inputs, context);
    if (context.addLoss === noLoss) return outputs;
    for (const parameter of this.parameters) {
      if (parameter.trainable && parameter.regularizer) context.addLoss(parameter.regularizer(parameter));
    }
    return outputs;
  }

  /** The layer of that name. @throws UnrollError `value` for an unknown name; the message lists the names */
  getLayer(name: string): Layer {
    const found = this.layers.find((layer) => layer.name === name);
    if (found) return found;
    const names = this.layers.map((layer) => layer.name).join(', ');
    throw valueError(`${this.label} has no layer "${name}". It has ${names}.`, { name });
  }

  /**
   * Creates a stream of the model: see {@link Stream}.
   * @throws UnrollError `state` for the first layer that needs the whole sequence
   */
  stream(options?: StreamOptions): Stream {
    return new Stream(this, options);
  }

  /** All inputs of one run of a stream: the pushed ones, and the fixed ones by name. */
  streamInputs(
    pushed: readonly MaskedSequence[],
    _given: Readonly<Record<string, Tensor>>,
  ): readonly MaskedSequence[] {
    return pushed;
  }

  /** A table of layers, output shapes and numbers of parameters, 80 columns wide. */
  summary(): string {
    return builders(this.label).summary(this);
  }

  /** The rows of the summary: the layers in order, with the shapes of their outputs. */
  summaryRows(): SummaryRow[] {
    return builders(this.label).summaryRows(this);
  }

  #knownShapes(): readonly Shape[] {
    if (this.inputShapes) return this.inputShapes;
    throw this.error(
      'state',
      'the shape of its input is unknown: call build([[-1, ...]]), or begin with input().',
    );
  }
}

/** `LSTM` as `lstm`, `BatchNormalization` as `batch_normalization`. */
function kindOf(layer: Layer): string {
  return layer.className.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toLowerCase();
}

/** Names unnamed layers after their class, with a number, and rejects duplicate names. */
export function nameLayers(layers: readonly Layer[]): void {
  const taken = new Set<string>();
  const unnamed = (layer: Layer): boolean => layer.autoNamed && !layer.built;
  for (const layer of layers) {
    if (unnamed(layer)) continue;
    if (taken.has(layer.name)) {
      throw valueError(`Two layers are named "${layer.name}". Give one of them another name.`, {
        name: layer.name,
      });
    }
    taken.add(layer.name);
  }
  const counts = new Map<string, number>();
  for (const layer of layers.filter(unnamed)) {
    const kind = kindOf(layer);
    let count = counts.get(kind) ?? 0;
    const numbered = (): string => (count === 0 ? kind : `${kind}_${count}`);
    while (taken.has(numbered())) count++;
    layer.name = numbered();
    layer.autoNamed = false;
    taken.add(layer.name);
    counts.set(kind, count + 1);
  }
}
