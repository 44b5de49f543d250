/**
 * `bidirectional`: one layer runs forwards over the sequence, another one backwards (Schuster & Paliwal 1997), and their
 * outputs are merged, as in Keras. With `returnSequences`, the outputs are merged step by step, and outputs of masked
 * steps are 0. Otherwise, the last outputs are merged: the forward output at the end of the sequence, and the backward
 * output at its start. Initial states and returned states of the forward layer come before those of the backward layer.
 */
import {
  add,
  concat,
  type ForwardContext,
  type MaskedSequence,
  mul,
  type Shape,
  type Tensor,
  valueError,
} from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import type { Cell } from '../cells/cell.js';
import { Layer, type LayerConfig, type LayerOptions } from '../layer.js';
import { LAYER } from '../option-names.js';
import type { BuildTools } from '../registry.js';
import { Recurrent, type RecurrentOptions } from './recurrent.js';

const mergeFunctions = {
  concat: (forward: Tensor, backward: Tensor): Tensor => concat([forward, backward], -1),
  sum: add,
  ave: (forward: Tensor, backward: Tensor): Tensor => mul(add(forward, backward), 0.5),
  mul,
} satisfies Record<string, (forward: Tensor, backward: Tensor) => Tensor>;

export type MergeMode = keyof typeof mergeFunctions | 'none';

export interface BidirectionalOptions extends LayerOptions {
  /** How the two outputs are merged; `none` returns both, forward first. Default `concat`. */
  mergeMode?: MergeMode;
  /** The backward layer, with `goBackwards: true`. Default: a copy of the forward layer with separate weights. */
  backwardLayer?: Recurrent;
}

/**
 * Creates a layer of the same class with changed options.
 * @param cell cell of the new layer; default: a clone with separate weights
 */
function withOptions(
  layer: Recurrent,
  changes: RecurrentOptions,
  cell: Cell | undefined = layer.cell.clone?.(),
): Recurrent {
  if (cell) return new Recurrent(cell, { ...layer.options, ...changes }, layer.className);
  throw valueError(
    `${layer.label}: cannot be copied for the other direction, because ${layer.cell.className} has no method clone(). Implement it.`,
    { layer: layer.name },
  );
}

export class Bidirectional extends Layer<BidirectionalOptions> {
  static override readonly className = 'Bidirectional';
  readonly forwardLayer: Recurrent;
  readonly backwardLayer: Recurrent;
  readonly mergeMode: MergeMode;
  /** Names of the constants that both cells read. */
  override readonly constants: readonly string[];

  constructor(layer: Recurrent, options: BidirectionalOptions = {}) {
    super(options);
    if (!(layer instanceof Recurrent)) {
      throw this.error('value', 'needs a recurrent layer, as in bidirectional(lstm({ ... })).');
    }
    this.mergeMode = options.mergeMode ?? 'concat';
    if (this.mergeMode !== 'none' && !Object.hasOwn(mergeFunctions, this.mergeMode)) {
      const names = [...Object.keys(mergeFunctions), 'none'].join(', ');
      throw this.error('value', `there is no mergeMode "${String(this.mergeMode)}". Choose one of ${names}.`);
    }
    const zeroOutputForMask = layer.returnSequences;
    const baseName = layer.name.replace(/^forward_/, '') || layer.className.toLowerCase();
    const cloneCell = ({ cell }: Recurrent): Cell => cell.clone?.() ?? cell;
    this.forwardLayer = withOptions(
      layer,
      { name: `forward_${baseName}`, zeroOutputForMask },
      cloneCell(layer),
    );
    const { backwardLayer } = options;
    this.backwardLayer = backwardLayer
      ? withOptions(
          backwardLayer,
          { name: `backward_${baseName}`, zeroOutputForMask },
          cloneCell(backwardLayer),
        )
      : withOptions(layer, { name: `backward_${baseName}`, zeroOutputForMask, goBackwards: true });
    this.constants = this.forwardLayer.constants;
    this.#checkPair();
  }

  static fromConfig(
    { layer, backwardLayer, ...options }: Record<string, unknown>,
    build: BuildTools,
  ): Bidirectional {
    return new Bidirectional(build.layer(layer) as Recurrent, {
      ...options,
      backwardLayer: build.layer(backwardLayer) as Recurrent,
    });
  }

  override get sublayers(): readonly Layer[] {
    return [this.forwardLayer, this.backwardLayer];
  }

  outputShapes(inputs: readonly Shape[]): Shape[] {
    const { forward, backward } = this.#splitInputs(inputs);
    const [y, ...states] = this.forwardLayer.outputShapes(forward);
    const [backwardY, ...backwardStates] = this.backwardLayer.outputShapes(backward);
    if (this.mergeMode === 'none') return [y, backwardY, ...states, ...backwardStates];
    const featureAxis = y.length - 1;
    const width = y[featureAxis] + (this.mergeMode === 'concat' ? backwardY[featureAxis] : 0);
    return [[...y.slice(0, featureAxis), width], ...states, ...backwardStates];
  }

  protected override makeParameters(inputs: readonly Shape[]): void {
    const { forward, backward } = this.#splitInputs(inputs);
    this.buildInner(this.forwardLayer, forward, this.forwardLayer.name);
    this.buildInner(this.backwardLayer, backward, this.backwardLayer.name);
  }

  call(inputs: readonly MaskedSequence[], context: ForwardContext): MaskedSequence[] {
    const { forward, backward } = this.#splitInputs(inputs);
    const [y, ...states] = this.forwardLayer.invokeAligned(forward, context, true);
    const [backwardY, ...backwardStates] = this.backwardLayer.invokeAligned(backward, context, true);
    return [...this.merge(y, backwardY), ...states, ...backwardStates];
  }

  /** Merges the outputs of both directions, which are in time order. */
  merge(forward: MaskedSequence, backward: MaskedSequence): MaskedSequence[] {
    if (this.mergeMode === 'none') return [forward, backward];
    const value = mergeFunctions[this.mergeMode](forward.value, backward.value);
    return [{ value, mask: forward.mask }];
  }

  override streaming(): boolean[] {
    throw this.nonCausal('is bidirectional, so it also reads the sequence from its end');
  }

  override get config(): LayerConfig {
    const { className, config } = super.config;
    return {
      className,
      config: {
        ...config,
        mergeMode: this.mergeMode,
        layer: this.forwardLayer.config,
        backwardLayer: this.backwardLayer.config,
      },
    };
  }

  /** @throws UnrollError `value` if the layers of both directions do not match */
  #checkPair(): void {
    const { forwardLayer: forward, backwardLayer: backward } = this;
    if (forward.goBackwards || !backward.goBackwards) {
      throw this.error(
        'value',
        'goBackwards must be false for the forward layer and true for backwardLayer.',
      );
    }
    for (const option of ['returnSequences', 'returnState', 'stateful'] as const) {
      if (forward[option] === backward[option]) continue;
      throw this.error(
        'value',
        `${option} must be the same in both directions, got ${forward[option]} forward and ${backward[option]} backward.`,
      );
    }
    if (forward.constants.join() !== backward.constants.join()) {
      throw this.error('value', 'the cells of both directions must declare the same constants.');
    }
    const [units, backwardUnits] = [forward.cell.units, backward.cell.units];
    if (this.mergeMode !== 'none' && this.mergeMode !== 'concat' && units !== backwardUnits) {
      throw valueError(
        `${this.label}: mergeMode ${this.mergeMode} needs the same units in both directions, got ${units} and ${backwardUnits}.`,
      );
    }
  }

  /** Splits the inputs: each direction gets the sequence, its own initial states, and the constants. */
  #splitInputs<T>([x, ...rest]: readonly T[]): { forward: T[]; backward: T[] } {
    const end = Math.max(0, rest.length - this.constants.length);
    const states = rest.slice(0, end);
    const constants = rest.slice(end);
    const forwardCount = Object.keys(this.forwardLayer.cell.stateSizes).length;
    const count = forwardCount + Object.keys(this.backwardLayer.cell.stateSizes).length;
    if (states.length !== 0 && states.length !== count) {
      throw this.error(
        'shape',
        `takes ${count} initial states (forward, then backward) or none, got ${states.length}.`,
      );
    }
    return {
      forward: [x, ...states.slice(0, forwardCount), ...constants],
      backward: [x, ...states.slice(forwardCount), ...constants],
    };
  }
}

/**
 * Creates a layer that runs a recurrent layer in both directions. With mergeMode `concat`, it converts x [B, T, I] to
 * [B, 2H], or to [B, T, 2H] with `returnSequences`.
 * @param layer the forward layer; its name and options are copied, but not its weights
 */
export function bidirectional(layer: Recurrent, options: BidirectionalOptions = {}): Bidirectional {
  checkOptions('bidirectional', options, { mergeMode: true, backwardLayer: true, ...LAYER });
  return new Bidirectional(layer, options);
}
