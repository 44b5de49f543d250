/** `sequential`: layers one after another, each taking what the one before gives. */
import {
  type Flow,
  type ForwardContext,
  formatShape,
  type Model,
  type Parameter,
  RandomStream,
  type Shape,
  shapeError,
  valueError,
} from '@unroll/core';
import type { Layer } from './layer.js';

export interface SequentialOptions {
  name?: string;
  /** Seed of the initial weights. Default 0: the same weights every time. */
  seed?: number;
}

/** Initial or trained weights: one array per parameter, in Keras's order. */
export interface WeightArray {
  name: string;
  shape: Shape;
  values: Float32Array | Float64Array;
}

export class Sequential implements Model {
  readonly name: string;
  readonly layers: readonly Layer[];
  readonly #seed: number;
  built = false;

  constructor(layers: readonly Layer[], options: SequentialOptions = {}) {
    if (layers.length === 0) throw valueError('sequential() needs at least one layer.');
    this.name = options.name ?? 'sequential';
    this.#seed = options.seed ?? 0;
    this.layers = layers;
    nameLayers(layers);
  }

  get parameters(): readonly Parameter[] {
    return this.layers.flatMap((layer) => layer.parameters);
  }

  /** Makes all parameters for inputs of this shape, [batch, ...] with -1 for any extent. */
  build(inputShapes: readonly Shape[]): void {
    if (this.built) return;
    let shapes: readonly Shape[] = inputShapes;
    for (const layer of this.layers) {
      layer.build(shapes, new RandomStream(this.#seed, 'weights', layer.name));
      shapes = layer.outputShapes(shapes);
    }
    this.built = true;
  }

  forward(inputs: readonly Flow[], context: ForwardContext): Flow[] {
    this.build(inputs.map((input) => [-1, ...input.value.shape.slice(1)]));
    return this.layers.reduce<readonly Flow[]>((flow, layer) => layer.call(flow, context), inputs) as Flow[];
  }

  /** The weights, in Keras's order and layout. */
  getWeights(): WeightArray[] {
    return this.parameters.map((p) => ({ name: p.name, shape: p.shape, values: p.dataSync() }));
  }

  /** Sets the weights from arrays in the order of {@link getWeights}; shapes must agree. */
  setWeights(weights: readonly { shape: Shape; values: ArrayLike<number> }[]): void {
    const own = this.parameters;
    if (weights.length !== own.length) {
      throw shapeError(
        `${this.name} has ${own.length} weights, got ${weights.length}.` +
          (this.built ? '' : ' It is not built yet: call build([batch, ...]) first.'),
        { expected: own.length, got: weights.length },
      );
    }
    weights.forEach((weight, i) => {
      if (formatShape(weight.shape) !== formatShape(own[i]!.shape)) {
        throw shapeError(
          `Weight ${own[i]!.name} has shape ${formatShape(own[i]!.shape)}, got ${formatShape(weight.shape)}.`,
          { name: own[i]!.name, expected: own[i]!.shape, got: weight.shape },
        );
      }
    });
    weights.forEach((weight, i) => {
      own[i]!.assign(weight.values);
    });
  }

  /** Number of parameters, trainable or not. */
  countParams(): number {
    return this.parameters.reduce((total, parameter) => total + parameter.size, 0);
  }

  get config(): Readonly<Record<string, unknown>> {
    return {
      className: 'Sequential',
      config: { name: this.name, seed: this.#seed, layers: this.layers.map((layer) => layer.config) },
    };
  }
}

/** Gives unnamed layers the name of their kind, numbered, and refuses two layers of one name. */
export function nameLayers(layers: readonly Layer[]): void {
  const counts = new Map<string, number>();
  const taken = new Set<string>();
  for (const layer of layers) {
    if (layer.name === '') {
      const kind = layer.className.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toLowerCase();
      const count = counts.get(kind) ?? 0;
      counts.set(kind, count + 1);
      layer.name = count === 0 ? kind : `${kind}_${count}`;
    }
    if (taken.has(layer.name)) {
      throw valueError(`Two layers are named "${layer.name}". Give one of them another name.`, {
        name: layer.name,
      });
    }
    taken.add(layer.name);
  }
}

/** A model of layers one after another. Shapes are worked out at the first call, or by `build`. */
export function sequential(layers: readonly Layer[], options?: SequentialOptions): Sequential {
  return new Sequential(layers, options);
}
