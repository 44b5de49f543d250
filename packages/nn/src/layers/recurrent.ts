/**
 * `Recurrent`: the layer that runs a cell along a sequence, one step at a time or, where the cell offers it, as one fused
 * op. Unrolled, it is the cell copied once per step with the same weights, the state handed from copy to copy.
 */
import {
  add,
  type Flow,
  type ForwardContext,
  mul,
  reshape,
  type Shape,
  slice,
  stack,
  sub,
  type Tensor,
  zeros,
} from '@unroll/core';
import type { Cell, CellState, SequenceContext } from '../cells/cell.js';
import { Layer, type LayerOptions } from '../layer.js';

/** Options of every recurrent layer, besides those of its cell. Defaults are Keras 3's. */
export interface RecurrentOptions extends LayerOptions {
  /** Give the output of every step, [B, T, H], instead of the last one, [B, H]. Default false. */
  returnSequences?: boolean;
  /** Give the final states as further outputs, [B, H] each: h, then c for an LSTM. Default false. */
  returnState?: boolean;
  /** Walk the sequence from its end; outputs come in the order they were made. Default false. */
  goBackwards?: boolean;
  /** Outputs of masked steps are 0 instead of the last valid output. Default false. */
  zeroOutputForMask?: boolean;
  /** Share of the inputs dropped while training, the same ones at every step. Default 0. */
  dropout?: number;
  /** Share of h' dropped inside the products while training, the same at every step and gate. Default 0. */
  recurrentDropout?: number;
}

export class Recurrent extends Layer {
  readonly className: string;
  readonly cell: Cell;
  protected override readonly options: Readonly<RecurrentOptions>;
  /** @internal Step the cell even where it offers a fused sequence: how tests hold the two equal. */
  composed = false;

  constructor(cell: Cell, options: RecurrentOptions = {}) {
    super(options);
    this.options = options;
    this.cell = cell;
    this.className = cell.className;
  }

  outputShapes(inputs: readonly Shape[]): Shape[] {
    const [x, ...states] = inputs as [Shape, ...Shape[]];
    if (x.length !== 3) throw this.shapeError(x, 'a sequence [batch, time, features]');
    const sizes = Object.entries(this.cell.stateSizes);
    if (states.length !== 0 && states.length !== sizes.length) {
      throw this.shapeError(
        [states.length],
        `initial states ${sizes.map(([name]) => name).join(', ')}, or none`,
      );
    }
    states.forEach((shape, i) => {
      const [name, size] = sizes[i]!;
      const fits =
        shape.length === 2 && shape[1] === size && (shape[0] === x[0] || shape[0] === -1 || x[0] === -1);
      if (!fits) throw this.shapeError(shape, `an initial state ${name} of shape [${x[0]}, ${size}]`);
    });
    const y = this.options.returnSequences ? [x[0]!, x[1]!, this.cell.units] : [x[0]!, this.cell.units];
    return this.options.returnState ? [y, ...sizes.map(([, size]) => [x[0]!, size])] : [y];
  }

  protected makeParameters([x]: readonly Shape[]): void {
    this.cell.build(x![2]!, (name, shape, initializer) => this.addParameter(name, shape, initializer));
  }

  call(inputs: readonly Flow[], context: ForwardContext): Flow[] {
    const [{ value: x, mask }, ...initial] = inputs as [Flow, ...Flow[]];
    this.outputShapes(inputs.map((input) => input.value.shape));
    const [B, , I] = x.shape as [number, number, number];
    const names = Object.keys(this.cell.stateSizes);
    const state = initial.length
      ? Object.fromEntries(names.map((name, i) => [name, initial[i]!.value]))
      : null;
    const draw = (rate: number | undefined, width: number): Tensor | null =>
      context.training && rate ? context.random.dropoutMask([B, width], rate) : null;
    const inputMask = draw(this.options.dropout, I);
    const { returnSequences = false, goBackwards = false, zeroOutputForMask = false } = this.options;
    const sequence: SequenceContext = {
      returnSequences,
      reverse: goBackwards,
      realign: false,
      zeroOutputForMask,
      mask,
      recurrentMask: draw(this.options.recurrentDropout, this.cell.units),
    };
    const result = this.run(inputMask ? mul(x, reshape(inputMask, [B, 1, I])) : x, state, sequence);
    const y: Flow = { value: result.y, mask: returnSequences && !goBackwards ? mask : null };
    if (!this.options.returnState) return [y];
    return [y, ...names.map((name) => ({ value: result.state[name]!, mask: null }))];
  }

  /** The outputs and final state for x [B, T, I]; `state` null: zeros. */
  run(x: Tensor, state: CellState | null, context: SequenceContext): { y: Tensor; state: CellState } {
    const fused = this.composed ? null : this.cell.sequence?.(x, state, context);
    return fused ?? stepThrough(this.cell, x, state, context);
  }
}

/** The sequence one step at a time: what a fused kernel must equal. */
export function stepThrough(
  cell: Cell,
  x: Tensor,
  initial: CellState | null,
  { returnSequences, reverse, realign, zeroOutputForMask, mask, recurrentMask }: SequenceContext,
): { y: Tensor; state: CellState } {
  const [B, T, I] = x.shape as [number, number, number];
  let state = initial ?? cell.zeroState(B);
  let y: Tensor = zeros([B, cell.units]);
  const outputs: Tensor[] = [];
  for (let n = 0; n < T; n++) {
    const t = reverse ? T - 1 - n : n;
    const step = cell.step(reshape(slice(x, 1, t, t + 1), [B, I]), state, { recurrentMask });
    if (mask === null) {
      state = step.state;
      y = step.y;
    } else {
      const valid = slice(mask, 1, t, t + 1); // [B, 1]
      const before = state;
      state = Object.fromEntries(
        Object.keys(state).map((name) => [name, choose(valid, step.state[name]!, before[name]!)]),
      );
      y = zeroOutputForMask ? mul(step.y, valid) : choose(valid, step.y, y);
    }
    outputs.push(y);
  }
  if (!returnSequences) return { y, state };
  if (reverse && realign) outputs.reverse();
  return { y: stack(outputs, 1), state };
}

/** a where valid is 1, b where it is 0. */
function choose(valid: Tensor, a: Tensor, b: Tensor): Tensor {
  return add(mul(valid, a), mul(sub(1, valid), b));
}
