/**
 * Tracks the dirty rows of each parameter: the rows that have received gradients since the last update. A lazy optimizer
 * updates only these rows.
 */
import type { Parameter, Tensor } from '@unroll/core';
import { type Block, currentScope, hostValues, RowGradient } from '@unroll/core/internal';
import type { ParameterSlice } from './optimizers.js';

/** For each parameter: the indices of its dirty rows; null: all rows. */
export type DirtyState = readonly (readonly number[] | null)[];

export class DirtyRows {
  readonly #parameters: readonly Parameter[];
  /** Null: all rows. */
  #rows: (Set<number> | null)[];

  constructor(parameters: readonly Parameter[]) {
    this.#parameters = parameters;
    this.#rows = parameters.map(() => new Set());
  }

  /** Sets the dirty rows of `block`, the gradients of parameter i, to 0. The other rows are already 0. */
  clear(i: number, block: Block): void {
    const { backend } = currentScope();
    const rows = this.#rows[i];
    if (!rows) backend.kernels.fill(block, 0);
    else {
      const width = this.#width(i);
      for (const id of rows) backend.kernels.fill(backend.view(block, id * width, width), 0);
    }
  }

  /**
   * Marks the rows of parameter i that have a gradient.
   * @param grad null: the parameter was not used
   * @param first true if this is the first gradient since the last update; earlier marks are then discarded
   */
  mark(i: number, grad: Tensor | null, first: boolean): void {
    if (first) this.#rows[i] = new Set();
    if (grad === null) return;
    if (!(grad instanceof RowGradient)) {
      this.#rows[i] = null;
      return;
    }
    for (const { ids } of grad.lookups)
      for (const id of hostValues(ids, 'The ids of a lookup')) this.#rows[i]?.add(id);
  }

  /** Marks all rows of all parameters. */
  markAll(): void {
    this.#rows = this.#rows.map(() => null);
  }

  /** Returns the slices of the parameters with their dirty rows. */
  withRows(slices: readonly ParameterSlice[]): ParameterSlice[] {
    return slices.map((slice, i) => {
      const rows = this.#rows[i];
      return rows ? { ...slice, rows: { ids: [...rows], width: this.#width(i) } } : slice;
    });
  }

  get state(): DirtyState {
    return this.#rows.map((rows) => rows && [...rows]);
  }

  set state(state: DirtyState) {
    this.#rows = state.map((rows) => rows && new Set(rows));
  }

  #width(i: number): number {
    return this.#parameters[i].shape.at(-1) ?? 1;
  }
}
