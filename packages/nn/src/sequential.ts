/** `sequential`: a model in which the output of each layer is the input of the next. */
import { type ForwardContext, type MaskedSequence, type Shape, valueError } from '@unroll/core';
import { checkOptions, formatValue } from '@unroll/core/internal';
import { SymbolicTensor } from './graph.js';
import { installOptionalFunctions } from './install-optional-functions.js';
import type { Layer, LayerConfig } from './layer.js';
import { emptyMemory, type Memory } from './memory.js';
import { checkInputShape, Network, type NetworkOptions, nameLayers } from './network.js';
import { networkOptions } from './option-names.js';
import { optionalFunctions } from './optional-functions.js';
import type { BuildTools } from './registry.js';

export type SequentialOptions = NetworkOptions;

export class Sequential extends Network<SequentialOptions> {
  static override readonly className = 'Sequential';
  readonly layers: readonly Layer[];
  #inputShapes: readonly Shape[] | null;
  /** The name of the `input()` that declares the shape; the model then rejects inputs of other shapes. */
  readonly #inputName: string | undefined;

  /**
   * @param inputShape [batch, ...], -1: any size; null: inferred at the first call
   * @param inputName the name of a declared input; undefined: the shape is not declared, and not checked
   */
  constructor(
    layers: readonly Layer[],
    options: SequentialOptions = {},
    inputShape: Shape | null = null,
    inputName?: string,
  ) {
    super(options);
    this.#inputName = inputName;
    this.#inputShapes = inputShape && [inputShape];
    this.layers = [...layers];
    if (layers.length === 0) throw valueError('sequential() needs at least one layer, got none.');
    nameLayers(layers);
    for (const layer of layers) layer.parents.push(this);
  }

  static fromConfig(
    { layers, inputShape, inputName, ...options }: Record<string, unknown>,
    build: BuildTools,
  ): Sequential {
    if (inputName !== undefined) {
      if (typeof inputName !== 'string')
        throw valueError(`inputName in the config must be a string, got ${inputName}.`);
      if (!Array.isArray(inputShape))
        throw valueError(`inputShape in the config must be a list, got ${inputShape}.`);
    }
    return new Sequential(
      (layers as unknown[]).map(build.layer),
      options,
      (inputShape ?? null) as Shape | null,
      inputName as string | undefined,
    );
  }

  get inputShapes(): readonly Shape[] | null {
    return this.#inputShapes;
  }

  /**
   * Symbolic input, for models that share layers with this one.
   * @throws UnrollError `state` if the shape of the input is unknown
   */
  get inputs(): readonly SymbolicTensor[] {
    return optionalFunctions(this.label).sequentialGraph(this).inputs;
  }
  /** Symbolic outputs. @throws UnrollError `state` if the shape of the input is unknown */
  get outputs(): readonly SymbolicTensor[] {
    return optionalFunctions(this.label).sequentialGraph(this).outputs;
  }

  outputShapes(inputs: readonly Shape[]): Shape[] {
    if (inputs.length > 1)
      throw this.error('shape', `takes one input, got ${inputs.length}. Use model() for several.`);
    const outputs = this.layers.reduce(
      (shapes: readonly Shape[], layer) => layer.outputShapes(shapes),
      inputs,
    ) as Shape[];
    const [name, shapes] = [this.#inputName, this.#inputShapes];
    if (name && shapes) checkInputShape(this, { name, shape: shapes[0] }, inputs[0]);
    return outputs;
  }

  protected override makeParameters(inputs: readonly Shape[]): void {
    let shapes = (this.#inputShapes ??= inputs);
    for (const layer of this.layers) {
      this.buildInner(layer, shapes, layer.name);
      shapes = layer.outputShapes(shapes);
    }
  }

  call(inputs: readonly MaskedSequence[], context: ForwardContext): MaskedSequence[] {
    return this.layers.reduce(
      (sequence: readonly MaskedSequence[], layer) => layer.invoke(sequence, context),
      inputs,
    ) as MaskedSequence[];
  }

  override streaming(inputs: readonly (boolean | null)[]): boolean[] {
    return this.layers.reduce(
      (isStreamed: readonly (boolean | null)[], layer) => layer.streaming(isStreamed),
      inputs,
    ) as boolean[];
  }

  override streamStep(
    inputs: readonly MaskedSequence[],
    memory: Memory,
    context: ForwardContext,
  ): MaskedSequence[] {
    return this.layers.reduce((sequence: readonly MaskedSequence[], layer) => {
      const part = (memory.parts[layer.name] ??= emptyMemory());
      return layer.penalise(layer.streamStep(sequence, part, context), context);
    }, inputs) as MaskedSequence[];
  }

  override get config(): LayerConfig {
    const { config } = super.config;
    const inputShape = this.#inputShapes?.[0];
    const declared = this.#inputName ? { inputName: this.#inputName } : {};
    const layers = this.layers.map((layer) => layer.config);
    return {
      className: this.className,
      config: {
        ...config,
        seed: this.options.seed ?? 0,
        ...(inputShape && { inputShape }),
        layers,
        ...declared,
      },
    };
  }
}

/**
 * Creates a sequential model. Shapes are inferred at the first call or by `build`, or immediately if the first entry is
 * an `input({ shape })`.
 */
export function sequential(
  layers: readonly (Layer | SymbolicTensor)[],
  options: SequentialOptions = {},
): Sequential {
  if (!Array.isArray(layers)) {
    throw valueError(
      `sequential takes an array of layers, as in sequential([lstm({ units: 8 }), dense({ units: 1 })]), got ${formatValue(layers)}.`,
    );
  }
  checkOptions('sequential', options, networkOptions());
  installOptionalFunctions();
  const [first, ...rest] = layers;
  const hasInput = first instanceof SymbolicTensor;
  const modelLayers = hasInput ? rest : layers;
  if (modelLayers.some((layer) => layer instanceof SymbolicTensor)) {
    throw valueError('In sequential(), input() must be the first entry.');
  }
  return hasInput
    ? new Sequential(modelLayers as Layer[], options, first.shape, first.node.layer.name || 'input')
    : new Sequential(modelLayers as Layer[], options);
}
