/** `sequential`: layers one after another, each taking what the one before gives. */
import { type Flow, type ForwardContext, type Shape, valueError } from '@unroll/core';
import { checkOptions, shown } from '@unroll/core/internal';
import { SymbolicTensor } from './graph.js';
import type { Layer, LayerConfig } from './layer.js';
import { InputLayer, symbolicInput } from './layers/input.js';
import { bringMakingTools } from './making-tools.js';
import { emptyMemory, type Memory } from './memory.js';
import { Network, type NetworkOptions, nameLayers } from './network.js';
import { networkOptions } from './option-names.js';
import type { BuildTools } from './registry.js';

export type SequentialOptions = NetworkOptions;

export class Sequential extends Network<SequentialOptions> {
  static override readonly className = 'Sequential';
  readonly layers: readonly Layer[];
  #inputShapes: readonly Shape[] | null = null;

  constructor(layers: readonly (Layer | SymbolicTensor)[], options: SequentialOptions = {}) {
    super(options);
    const [first] = layers;
    if (first instanceof SymbolicTensor) this.#inputShapes = [first.shape];
    this.layers = layers.filter((layer) => layer !== first || !(first instanceof SymbolicTensor)) as Layer[];
    if (this.layers.length === 0) throw valueError('sequential() needs at least one layer.');
    if (this.layers.some((layer) => layer instanceof SymbolicTensor)) {
      throw valueError('In sequential(), input() can only come first.');
    }
    nameLayers(this.layers);
  }

  static fromConfig(
    { layers, inputShape, ...options }: Record<string, unknown>,
    build: BuildTools,
  ): Sequential {
    const list = (layers as unknown[]).map(build.layer);
    if (!inputShape) return new Sequential(list, options);
    const [batch, ...shape] = inputShape as Shape;
    const first = new InputLayer({ shape, ...(batch !== -1 && { batchSize: batch }) });
    return new Sequential([symbolicInput(first), ...list], options);
  }

  get inputShapes(): readonly Shape[] | null {
    return this.#inputShapes;
  }

  outputShapes(inputs: readonly Shape[]): Shape[] {
    return this.layers.reduce(
      (shapes: readonly Shape[], layer) => layer.outputShapes(shapes),
      inputs,
    ) as Shape[];
  }

  protected override makeParameters(inputs: readonly Shape[]): void {
    let shapes = (this.#inputShapes ??= inputs);
    for (const layer of this.layers) {
      this.buildInner(layer, shapes, layer.name);
      shapes = layer.outputShapes(shapes);
    }
  }

  call(inputs: readonly Flow[], context: ForwardContext): Flow[] {
    return this.layers.reduce((flow: readonly Flow[], layer) => layer.flow(flow, context), inputs) as Flow[];
  }

  override alongTime(inputs: readonly (boolean | null)[]): boolean[] {
    return this.layers.reduce(
      (along: readonly (boolean | null)[], layer) => layer.alongTime(along),
      inputs,
    ) as boolean[];
  }

  override advance(inputs: readonly Flow[], memory: Memory, context: ForwardContext): Flow[] {
    return this.layers.reduce((flow: readonly Flow[], layer) => {
      const part = (memory.parts[layer.name] ??= emptyMemory());
      return layer.advance(flow, part, context);
    }, inputs) as Flow[];
  }

  override get config(): LayerConfig {
    const { config } = super.config;
    const inputShape = this.#inputShapes?.[0];
    const layers = this.layers.map((layer) => layer.config);
    return {
      className: this.className,
      config: { ...config, seed: this.options.seed ?? 0, ...(inputShape && { inputShape }), layers },
    };
  }
}

/**
 * A model of layers one after another. Shapes are worked out at the first call, or by `build`, or at once where the
 * first entry is an `input({ shape })`.
 */
export function sequential(
  layers: readonly (Layer | SymbolicTensor)[],
  options: SequentialOptions = {},
): Sequential {
  if (!Array.isArray(layers)) {
    throw valueError(
      `sequential takes an array of layers, as in sequential([lstm({ units: 8 }), dense({ units: 1 })]), got ${shown(layers)}.`,
    );
  }
  checkOptions('sequential', options, networkOptions());
  bringMakingTools();
  return new Sequential(layers, options);
}
