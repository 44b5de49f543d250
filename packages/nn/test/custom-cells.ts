/**
 * Cells as a user would write them, outside the library and only with tensor ops: LSTM, GRU and the plain RNN from their
 * textbook equations. `rowByRow` runs them without any optimisation: each row separately, one valid step after another.
 */
import {
  add,
  concat,
  matmul,
  mul,
  type Parameter,
  reshape,
  slice,
  stack,
  sub,
  type Tensor,
  zeros,
} from '@unroll/core';
import type { Cell, CellState, ParameterMaker, StepContext, StepResult } from '@unroll/nn';

export type TensorFunction = (x: Tensor) => Tensor;

export interface CustomCellOptions {
  units: number;
  phi: TensorFunction;
  sigma: TensorFunction;
  useBias: boolean;
}

abstract class CustomCell implements Cell {
  readonly className: string = 'CustomCell';
  readonly units: number;
  abstract readonly stateSizes: Record<string, number>;
  readonly config: Record<string, unknown>;
  protected readonly options: CustomCellOptions;
  protected W!: Parameter;
  protected U!: Parameter;
  protected b: Parameter | null = null;

  constructor(options: CustomCellOptions) {
    this.options = options;
    this.units = options.units;
    this.config = { units: options.units };
  }

  build(inputSize: number, make: ParameterMaker): void {
    this.W = make('kernel', [inputSize, this.gates * this.units], 'glorotUniform');
    this.U = make('recurrent_kernel', [this.units, this.gates * this.units], 'orthogonal');
    if (this.options.useBias) this.b = make('bias', this.biasShape, 'zeros');
  }

  protected abstract readonly gates: number;
  protected get biasShape(): number[] {
    return [this.gates * this.units];
  }

  /** Returns the columns of gate n. */
  protected columns(matrix: Tensor, n: number): Tensor {
    return slice(matrix, -1, n * this.units, (n + 1) * this.units);
  }

  abstract step(x: Tensor, state: CellState, context: StepContext): StepResult;
}

const withDropout = (h: Tensor, mask: Tensor | null): Tensor => (mask ? mul(h, mask) : h);

export class CustomLstm extends CustomCell {
  protected readonly gates = 4;
  readonly stateSizes = { h: this.units, c: this.units };

  step(x: Tensor, { h, c }: { h: Tensor; c: Tensor }, { recurrentDropoutMask }: StepContext): StepResult {
    const { phi, sigma } = this.options;
    const droppedH = withDropout(h, recurrentDropoutMask);
    // One gate at a time: four small products instead of the one large product of the library.
    const preActivation = (n: number): Tensor => {
      const products = add(matmul(x, this.columns(this.W, n)), matmul(droppedH, this.columns(this.U, n)));
      return this.b ? add(products, this.columns(this.b, n)) : products;
    };
    const [a0, a1, a2, a3] = [0, 1, 2, 3].map(preActivation);
    const [i, f, g, o] = [sigma(a0!), sigma(a1!), phi(a2!), sigma(a3!)];
    const next = add(mul(f, c), mul(i, g));
    const y = mul(o, phi(next));
    return { y, state: { h: y, c: next } };
  }
}

export class CustomRnn extends CustomCell {
  protected readonly gates = 1;
  readonly stateSizes = { h: this.units };

  step(x: Tensor, { h }: { h: Tensor }, { recurrentDropoutMask }: StepContext): StepResult {
    const products = add(matmul(x, this.W), matmul(withDropout(h, recurrentDropoutMask), this.U));
    const y = this.options.phi(this.b ? add(products, this.b) : products);
    return { y, state: { h: y } };
  }
}

export interface GruVariant {
  resetAfter: boolean;
  /** Whether h = (1-z) h' + z n instead of h = z h' + (1-z) n. */
  updateGateOnCandidate: boolean;
}

export class CustomGru extends CustomCell {
  protected readonly gates = 3;
  readonly stateSizes = { h: this.units };
  readonly #variant: GruVariant;

  constructor(options: CustomCellOptions, variant: GruVariant) {
    super(options);
    this.#variant = variant;
  }

  protected override get biasShape(): number[] {
    return this.#variant.resetAfter ? [2, 3 * this.units] : [3 * this.units];
  }

  /** Returns the bias of gate n for the product of the inputs or, with `ofState`, of the state; 0 if there is none. */
  #bias(n: number, ofState: boolean): Tensor | number {
    if (!this.b) return 0;
    if (!this.#variant.resetAfter) return ofState ? 0 : this.columns(this.b, n);
    const row = ofState ? 1 : 0;
    return reshape(this.columns(slice(this.b, 0, row, row + 1), n), [this.units]);
  }

  step(x: Tensor, { h }: { h: Tensor }, { recurrentDropoutMask }: StepContext): StepResult {
    const { phi, sigma } = this.options;
    const droppedH = withDropout(h, recurrentDropoutMask);
    const fromX = (n: number): Tensor => add(matmul(x, this.columns(this.W, n)), this.#bias(n, false));
    const fromH = (n: number, state: Tensor): Tensor =>
      add(matmul(state, this.columns(this.U, n)), this.#bias(n, true));
    const z = sigma(add(fromX(0), fromH(0, droppedH)));
    const r = sigma(add(fromX(1), fromH(1, droppedH)));
    const fromResetH = this.#variant.resetAfter ? mul(r, fromH(2, droppedH)) : fromH(2, mul(r, droppedH));
    const n = phi(add(fromX(2), fromResetH));
    const y = this.#variant.updateGateOnCandidate
      ? add(mul(sub(1, z), h), mul(z, n))
      : add(mul(z, h), mul(sub(1, z), n));
    return { y, state: { h: y } };
  }
}

export interface RowOptions {
  returnSequences: boolean;
  /** True: from the last step to the first, with outputs in that order. */
  reverse: boolean;
  zeroOutputForMask: boolean;
  /** [B][T]; null: every step is valid. */
  mask: readonly (readonly number[])[] | null;
  /** Scaled recurrent dropout mask [B, H]; null: no dropout. */
  recurrentDropoutMask: Tensor | null;
}

/**
 * Applies a cell to sequences x [B, T, I]: each row separately, without its masked steps. The output at a masked step is the
 * previous output (zeros if there is none), or zeros with `zeroOutputForMask`.
 * @returns y ([B, T, units], or the last [B, units]), then the final states
 */
export function rowByRow(cell: Cell, x: Tensor, initial: CellState | null, o: RowOptions): Tensor[] {
  const [B, T, I] = x.shape as [number, number, number];
  const names = Object.keys(cell.stateSizes);
  const rows = Array.from({ length: B }, (_, b) => {
    const rowOf = (matrix: Tensor): Tensor => slice(matrix, 0, b, b + 1);
    let state: CellState = Object.fromEntries(
      names.map((name) => [name, initial ? rowOf(initial[name]!) : zeros([1, cell.stateSizes[name]!])]),
    );
    const zeroOutput = zeros([1, cell.units]);
    const recurrentDropoutMask = o.recurrentDropoutMask && rowOf(o.recurrentDropoutMask);
    const outputs: Tensor[] = [];
    let last = zeroOutput;
    for (let n = 0; n < T; n++) {
      const t = o.reverse ? T - 1 - n : n;
      const valid = o.mask === null || o.mask[b]![t] === 1;
      if (valid) {
        const step = cell.step(reshape(slice(rowOf(x), 1, t, t + 1), [1, I]), state, {
          ...{ recurrentDropoutMask, constants: {}, prepared: {} },
        });
        state = step.state;
        last = step.y;
      }
      outputs.push(valid || !o.zeroOutputForMask ? last : zeroOutput);
    }
    const y = o.returnSequences ? stack(outputs, 1) : outputs.at(-1)!;
    return [y, ...names.map((name) => state[name]!)];
  });
  return rows[0]!.map((_, k) =>
    concat(
      rows.map((row) => row[k]!),
      0,
    ),
  );
}
