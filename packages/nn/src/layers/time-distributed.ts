/** `timeDistributed`: applies one layer to every step of a sequence, with the same weights. */
import { type ForwardContext, type MaskedSequence, reshape, type Shape } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import { Layer, type LayerConfig, type LayerOptions } from '../layer.js';
import { LAYER } from '../option-names.js';
import type { BuildTools } from '../registry.js';

export class TimeDistributed extends Layer {
  static override readonly className = 'TimeDistributed';
  readonly layer: Layer;

  constructor(layer: Layer, options: LayerOptions = {}) {
    super(options);
    if (!(layer instanceof Layer)) {
      throw this.error('value', 'needs a layer, as in timeDistributed(dense({ ... })).');
    }
    this.layer = layer;
    if (layer.name === '') layer.name = layer.className.toLowerCase();
  }

  static fromConfig({ layer, ...options }: Record<string, unknown>, build: BuildTools): TimeDistributed {
    return new TimeDistributed(build.layer(layer), options);
  }

  override get sublayers(): readonly Layer[] {
    return [this.layer];
  }

  outputShapes([x]: readonly Shape[]): Shape[] {
    if (x.length < 3) throw this.shapeError(x, 'a sequence [batch, time, ...]');
    return this.layer.outputShapes([this.#stepShape(x)]).map((y) => [x[0], x[1], ...y.slice(1)]);
  }

  protected override makeParameters([x]: readonly Shape[]): void {
    this.buildInner(this.layer, [this.#stepShape(x)], this.layer.name);
  }

  /** Runs the inner layer on all steps of all examples as one batch. */
  call([x]: readonly MaskedSequence[], context: ForwardContext): MaskedSequence[] {
    const [B, T, ...rest] = x.value.shape;
    const steps = { value: reshape(x.value, [B * T, ...rest]), mask: null };
    return this.layer.invoke([steps], context).map(({ value }) => ({
      value: reshape(value, [B, T, ...value.shape.slice(1)]),
      mask: x.mask,
    }));
  }

  override streaming([isStreamed]: readonly boolean[]): boolean[] {
    return [isStreamed];
  }

  override get config(): LayerConfig {
    const { className, config } = super.config;
    return { className, config: { ...config, layer: this.layer.config } };
  }

  /** Returns the shape of the inner layer's input for x [B, T, ...]: [B * T, ...]. */
  #stepShape(x: Shape): Shape {
    return [x[0] === -1 || x[1] === -1 ? -1 : x[0] * x[1], ...x.slice(2)];
  }
}

/**
 * Creates a layer that applies another layer to every step: x [B, T, ...] to [B, T, ...]. An inner batchNormalization
 * computes its statistics over all steps; Keras computes them for each step separately.
 */
export function timeDistributed(layer: Layer, options: LayerOptions = {}): TimeDistributed {
  checkOptions('timeDistributed', options, LAYER);
  return new TimeDistributed(layer, options);
}
