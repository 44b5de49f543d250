/** The base class of layers that compute each output step from a window of input steps: convolution and pooling. */
import { concat, type MaskedSequence, type Shape, slice, type Tensor, zeros } from '@unroll/core';
import { formatValue, hostTensor, hostValues } from '@unroll/core/internal';
import { Layer, type LayerOptions } from '../layer.js';
import { maskWhere, zeroMaskedSteps } from '../masks.js';
import { detach, type Memory } from '../memory.js';
import {
  type BatchWindows,
  locateWindows,
  readWindows,
  spanOf,
  WINDOW_PADDINGS,
  type WindowSettings,
  windowCount,
} from './windows.js';

export abstract class WindowLayer<O extends LayerOptions> extends Layer<O> {
  protected readonly window: WindowSettings;
  /** The value of masked steps and of padding; see {@link readWindows}. */
  protected readonly fill: number = 0;
  /**
   * True (pooling): the result of a window depends on which of its steps are valid. False (convolution): a masked step
   * has the same effect as a step of zeros.
   */
  protected readonly countsValidSteps: boolean = true;

  constructor(options: O, window: WindowSettings) {
    super(options);
    this.window = window;
    if (!WINDOW_PADDINGS.includes(window.padding)) {
      const names = WINDOW_PADDINGS.map((name) => `"${name}"`).join(' or ');
      throw this.error('value', `padding must be ${names}, got ${formatValue(window.padding)}.`);
    }
  }

  /** Returns the number of features of the output. Throws if x does not fit the layer. */
  protected abstract outputWidth(x: Shape): number;

  /** Computes the outputs [B, count, width] from the windows [B, count, size, features]. */
  protected abstract reduce(values: Tensor, windows: BatchWindows): Tensor;

  outputShapes([x]: readonly Shape[]): Shape[] {
    if (x.length !== 3) throw this.shapeError(x, 'a sequence [batch, time, features]');
    const width = this.outputWidth(x);
    const count = windowCount(x[1], this.window);
    if (x[1] >= 0 && count < 1) {
      const span = x[1] === 0 ? 1 : spanOf(this.window);
      throw this.shapeError(x, `sequences of at least ${span} time step${span === 1 ? '' : 's'}`);
    }
    return [[x[0], count, width]];
  }

  call([{ value, mask }]: readonly MaskedSequence[]): MaskedSequence[] {
    const [B, T] = value.shape;
    return this.#reduce(value, locateWindows([B, T], mask, this.window));
  }

  override streaming([isStreamed]: readonly (boolean | null)[]): boolean[] {
    const { padding, size } = this.window;
    if (isStreamed && padding !== 'causal' && size > 1)
      throw this.nonCausal(`reads later steps with padding "${padding}" (padding "causal" can be streamed)`);
    return [isStreamed === true];
  }

  /**
   * Processes a chunk. The memory holds the last `span - 1` steps of earlier chunks, which the next windows read. If
   * `countsValidSteps` is true, it also holds their mask. With strides above 1, it also holds the phase: the number of processed
   * steps modulo `strides`.
   */
  override streamStep([{ value, mask }]: readonly MaskedSequence[], memory: Memory): MaskedSequence[] {
    this.outputShapes([[value.shape[0], -1, value.shape[2]]]);
    if (!this.built) this.build([[-1, -1, value.shape[2]]]);
    const [B, T, width] = value.shape;
    const { strides } = this.window;
    const { tensors } = memory;
    const phase = tensors.phase ? hostValues(tensors.phase, 'The phase of a stream')[0] : 0;
    const start = (strides - phase) % strides;
    if (start >= T) throw this.#noOutput(T);
    const next: Record<string, Tensor> = {};
    if (strides > 1) next.phase = hostTensor(new Float32Array(B).fill((phase + T) % strides), [B, 1]);
    const history = spanOf(this.window) - 1;
    // Masked steps are stored as zeros. (Multiplying by the mask would not remove a NaN.)
    let x = mask ? zeroMaskedSteps(value, mask) : value;
    let validSteps = mask;
    if (history > 0) {
      x = concat([tensors.x ?? zeros([B, history, width]), x], 1);
      next.x = slice(x, 1, T);
      const previousMask = tensors.mask ?? maskWhere(B, history, () => !this.countsValidSteps);
      validSteps = joinMasks(previousMask, mask ?? maskWhere(B, T, () => true));
      if (this.countsValidSteps) next.mask = lastSteps(validSteps, history);
    }
    const causal = { ...this.window, padding: 'causal' } as const;
    const count = Math.ceil((T - start) / strides);
    const windows = locateWindows([B, history + T], validSteps, causal, { start, count });
    memory.tensors = detach(next);
    return this.#reduce(x, mask ? windows : { ...windows, mask: null });
  }

  #reduce(x: Tensor, windows: BatchWindows): MaskedSequence[] {
    return [{ value: this.reduce(readWindows(x, windows, this.fill), windows), mask: windows.mask }];
  }

  #noOutput(steps: number): Error {
    const { strides } = this.window;
    return this.error(
      'state',
      `computes one output per ${strides} steps, and this chunk of ${steps} completes none. ` +
        `Push chunks of ${strides} steps, or a multiple.`,
      { strides, steps },
    );
  }
}

/** Joins two masks [B, ...] along the time axis. */
function joinMasks(first: Tensor, second: Tensor): Tensor {
  const [a, b] = [hostValues(first, 'A mask'), hostValues(second, 'A mask')];
  const [B, history] = first.shape;
  const T = second.shape[1];
  return maskWhere(
    B,
    history + T,
    (row, t) => (t < history ? a[row * history + t] : b[row * T + t - history]) !== 0,
  );
}

/** Returns the last `count` steps of a mask. */
function lastSteps(mask: Tensor, count: number): Tensor {
  const [B, T] = mask.shape;
  const values = hostValues(mask, 'A mask');
  return maskWhere(B, count, (row, t) => values[row * T + T - count + t] !== 0);
}
