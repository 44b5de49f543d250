/** `residual`: adds the input of a layer to its output (He et al. 2016), for stacks of recurrent layers (Wu et al. 2016). */
import { add, type ForwardContext, formatShape, type MaskedSequence, type Shape } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import { Layer, type LayerConfig, type LayerOptions } from '../layer.js';
import { zeroMaskedSteps } from '../masks.js';
import { emptyMemory, type Memory } from '../memory.js';
import { LAYER } from '../option-names.js';
import type { BuildTools } from '../registry.js';

export class Residual extends Layer {
  static override readonly className = 'Residual';
  readonly layer: Layer;
  /** Names of the constants that the inner layer reads. */
  override readonly constants: readonly string[];

  constructor(layer: Layer, options: LayerOptions = {}) {
    super(options);
    if (!(layer instanceof Layer))
      throw this.error('value', 'needs a layer, as in residual(lstm({ units: 8, returnSequences: true })).');
    if ((layer as { goBackwards?: boolean }).goBackwards)
      throw this.error(
        'value',
        `${layer.label} has goBackwards: true, so its outputs are not in the order of its inputs. Use bidirectional().`,
      );
    this.layer = layer;
    this.constants = layer.constants ?? [];
    if (layer.name === '') layer.name = layer.className.toLowerCase();
  }

  static fromConfig({ layer, ...options }: Record<string, unknown>, build: BuildTools): Residual {
    return new Residual(build.layer(layer), options);
  }

  override get sublayers(): readonly Layer[] {
    return [this.layer];
  }

  outputShapes(inputs: readonly Shape[]): Shape[] {
    const [x] = inputs;
    const outputs = this.layer.outputShapes(inputs);
    const [y] = outputs;
    const fits = y.length === x.length && y.every((extent, d) => extent === x[d] || extent < 0 || x[d] < 0);
    if (fits) return outputs;
    const remedy =
      y.length < x.length
        ? 'Set returnSequences: true on a recurrent layer.'
        : 'Use as many units or filters as the input has features, and strides of 1.';
    throw this.error(
      'shape',
      `${this.layer.label} must preserve the shape of its input ${formatShape(x)}, got the output ${formatShape(y)}. ${remedy}`,
      { input: x, output: y },
    );
  }

  protected override makeParameters(inputs: readonly Shape[]): void {
    this.buildInner(this.layer, inputs, this.layer.name);
  }

  call(inputs: readonly MaskedSequence[], context: ForwardContext): MaskedSequence[] {
    return this.#addInput(inputs, this.layer.invoke(inputs, context));
  }

  override streaming(inputs: readonly (boolean | null)[]): boolean[] {
    return this.layer.streaming(inputs);
  }

  override streamStep(
    inputs: readonly MaskedSequence[],
    memory: Memory,
    context: ForwardContext,
  ): MaskedSequence[] {
    this.outputShapes(inputs.map(({ value }) => value.shape));
    const { name } = this.layer;
    const part = (memory.parts[name] ??= emptyMemory());
    return this.#addInput(inputs, this.layer.streamStep(inputs, part, context));
  }

  override get config(): LayerConfig {
    const { className, config } = super.config;
    return { className, config: { ...config, layer: this.layer.config } };
  }

  /** Adds the first input to the first output. */
  #addInput([x]: readonly MaskedSequence[], [y, ...states]: readonly MaskedSequence[]): MaskedSequence[] {
    // Adding x.value would copy NaN at masked steps to the output.
    const value = x.mask ? zeroMaskedSteps(x.value, x.mask) : x.value;
    return [{ value: add(value, y.value), mask: y.mask }, ...states];
  }
}

/**
 * Creates a layer that computes x + layer(x), so that gradients pass through deep stacks of recurrent layers. The output of
 * the inner layer must have the shape of x: a recurrent layer needs `returnSequences` and as many units as x has features.
 * Everything else is as without `residual`: the other inputs and outputs of the inner layer (states, constants), the mask
 * of the output, and the behaviour in streams.
 */
export function residual(layer: Layer, options: LayerOptions = {}): Residual {
  checkOptions('residual', options, LAYER);
  return new Residual(layer, options);
}
