/**
 * `bidirectional`: one layer runs forwards over the sequence, one backwards (Schuster & Paliwal 1997), and their
 * outputs are merged step by step. As in Keras, both zero the outputs of masked steps if and only if they return
 * sequences; without sequences, the last output of each direction is merged (at the end for forward, at the start for
 * backward); the states of forward come first, and initial states are given in the same order.
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

const merges = {
  concat: (forward: Tensor, backward: Tensor): Tensor => concat([forward, backward], -1),
  sum: add,
  ave: (forward: Tensor, backward: Tensor): Tensor => mul(add(forward, backward), 0.5),
  mul,
} satisfies Record<string, (forward: Tensor, backward: Tensor) => Tensor>;

export type MergeMode = keyof typeof merges | 'none';

export interface BidirectionalOptions extends LayerOptions {
  /** How the two outputs are merged; `none` returns both, forward first. Default `concat`. */
  mergeMode?: MergeMode;
  /** The backward layer, with `goBackwards: true`. Default: a copy of the forward layer with its own weights. */
  backwardLayer?: Recurrent;
}

/** A layer of the same class with changed options and separate weights. @param cell default: a clone */
function variant(
  layer: Recurrent,
  changes: RecurrentOptions,
  cell: Cell | undefined = layer.cell.clone?.(),
): Recurrent {
  if (cell) return new Recurrent(cell, { ...layer.options, ...changes }, layer.className);
  throw valueError(
    `${layer.label}: a second layer like this one is needed, and ${layer.cell.className} has no clone(). Give the cell one.`,
    { layer: layer.name },
  );
}

export class Bidirectional extends Layer<BidirectionalOptions> {
  static override readonly className = 'Bidirectional';
  readonly forwardLayer: Recurrent;
  readonly backwardLayer: Recurrent;
  readonly mergeMode: MergeMode;
  /** The constants that both cells read. */
  override readonly constants: readonly string[];

  constructor(layer: Recurrent, options: BidirectionalOptions = {}) {
    super(options);
    if (!(layer instanceof Recurrent)) {
      throw this.error('value', 'it wraps a recurrent layer: bidirectional(lstm({ ... })).');
    }
    this.mergeMode = options.mergeMode ?? 'concat';
    if (this.mergeMode !== 'none' && !Object.hasOwn(merges, this.mergeMode)) {
      const names = [...Object.keys(merges), 'none'].join(', ');
      throw this.error('value', `there is no mergeMode "${String(this.mergeMode)}". Choose one of ${names}.`);
    }
    const zeroOutputForMask = layer.returnSequences;
    const kind = layer.name.replace(/^forward_/, '') || layer.className.toLowerCase();
    const own = ({ cell }: Recurrent): Cell => cell.clone?.() ?? cell;
    this.forwardLayer = variant(layer, { name: `forward_${kind}`, zeroOutputForMask }, own(layer));
    const { backwardLayer } = options;
    this.backwardLayer = backwardLayer
      ? variant(backwardLayer, { name: `backward_${kind}`, zeroOutputForMask }, own(backwardLayer))
      : variant(layer, { name: `backward_${kind}`, zeroOutputForMask, goBackwards: true });
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
    const { forward, backward } = this.#halves(inputs);
    const [y, ...states] = this.forwardLayer.outputShapes(forward);
    const [yBack, ...backStates] = this.backwardLayer.outputShapes(backward);
    if (this.mergeMode === 'none') return [y, yBack, ...states, ...backStates];
    const last = y.length - 1;
    const width = y[last] + (this.mergeMode === 'concat' ? yBack[last] : 0);
    return [[...y.slice(0, last), width], ...states, ...backStates];
  }

  protected override makeParameters(inputs: readonly Shape[]): void {
    const { forward, backward } = this.#halves(inputs);
    this.buildInner(this.forwardLayer, forward, this.forwardLayer.name);
    this.buildInner(this.backwardLayer, backward, this.backwardLayer.name);
  }

  call(inputs: readonly MaskedSequence[], context: ForwardContext): MaskedSequence[] {
    const { forward, backward } = this.#halves(inputs);
    const [y, ...states] = this.forwardLayer.invokeAligned(forward, context, true);
    const [yBack, ...backStates] = this.backwardLayer.invokeAligned(backward, context, true);
    return [...this.merge(y, yBack), ...states, ...backStates];
  }

  /** Merges the outputs of both directions, which are in time order. */
  merge(forward: MaskedSequence, backward: MaskedSequence): MaskedSequence[] {
    if (this.mergeMode === 'none') return [forward, backward];
    const value = merges[this.mergeMode](forward.value, backward.value);
    return [{ value, mask: forward.mask }];
  }

  override streaming(): boolean[] {
    throw this.nonCausal('is bidirectional and reads the sequence from its end as well');
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

  #checkPair(): void {
    const { forwardLayer: one, backwardLayer: other } = this;
    if (one.goBackwards || !other.goBackwards) {
      throw this.error(
        'value',
        'the forward layer must run forwards, and backwardLayer needs goBackwards: true.',
      );
    }
    for (const option of ['returnSequences', 'returnState', 'stateful'] as const) {
      if (one[option] === other[option]) continue;
      throw this.error(
        'value',
        `${option} must be the same in both directions, got ${one[option]} forward and ${other[option]} backward.`,
      );
    }
    if (one.constants.join() !== other.constants.join()) {
      throw this.error('value', 'the cells of both directions must declare the same constants.');
    }
    if (this.mergeMode !== 'none' && this.mergeMode !== 'concat' && one.cell.units !== other.cell.units) {
      throw valueError(
        `${this.label}: mergeMode ${this.mergeMode} needs the same number of units in both directions.`,
      );
    }
  }

  /** The inputs of each direction: the sequence, its half of the initial states, and the constants. */
  #halves<T>([x, ...others]: readonly T[]): { forward: T[]; backward: T[] } {
    const end = Math.max(0, others.length - this.constants.length);
    const states = others.slice(0, end);
    const constants = others.slice(end);
    const half = Object.keys(this.forwardLayer.cell.stateSizes).length;
    const rest = Object.keys(this.backwardLayer.cell.stateSizes).length;
    if (states.length !== 0 && states.length !== half + rest) {
      throw this.error(
        'shape',
        `takes ${half + rest} initial states, forward's then backward's, or none; got ${states.length}.`,
      );
    }
    return {
      forward: [x, ...states.slice(0, half), ...constants],
      backward: [x, ...states.slice(half), ...constants],
    };
  }
}

/**
 * Runs a recurrent layer in both directions: x [B, T, I] to [B, 2H] with `concat`, [B, T, 2H] with `returnSequences`.
 * @param layer the forward layer; its name and options are copied, but not its weights
 */
export function bidirectional(layer: Recurrent, options: BidirectionalOptions = {}): Bidirectional {
  checkOptions('bidirectional', options, { mergeMode: true, backwardLayer: true, ...LAYER });
  return new Bidirectional(layer, options);
}
