/** Which rows of each parameter the gradients gathered since the last update are of: what a lazy optimizer updates. */
import type { Parameter, Tensor } from '@unroll/core';
import { type Block, hostValues, openScope, RowGradient } from '@unroll/core/internal';
import type { Place } from './optimizers.js';

/** For each parameter the rows, or null for all. */
export type TouchedState = readonly (readonly number[] | null)[];

export class TouchedRows {
  readonly #parameters: readonly Parameter[];
  #rows: (Set<number> | null)[];

  constructor(parameters: readonly Parameter[]) {
    this.#parameters = parameters;
    this.#rows = parameters.map(() => new Set());
  }

  /** Makes `place`, which holds gradients of parameter i in the rows noted and zeros in others, zeros. */
  clear(i: number, place: Block): void {
    const { backend } = openScope();
    const rows = this.#rows[i];
    if (!rows) backend.kernels.fill(place, 0);
    else {
      const width = this.#width(i);
      for (const id of rows) backend.kernels.fill(backend.view(place, id * width, width), 0);
    }
  }

  /** Notes a gradient of parameter i; null: it was not used. @param first since the last update */
  note(i: number, grad: Tensor | null, first: boolean): void {
    if (first) this.#rows[i] = new Set();
    if (grad === null) return;
    if (!(grad instanceof RowGradient)) {
      this.#rows[i] = null;
      return;
    }
    for (const { ids } of grad.lookups)
      for (const id of hostValues(ids, 'The ids of a lookup')) this.#rows[i]?.add(id);
  }

  /** Notes gradients everywhere. */
  noteAll(): void {
    this.#rows = this.#rows.map(() => null);
  }

  /** The parameters' places with the rows noted. */
  addedTo(places: readonly Place[]): Place[] {
    return places.map((place, i) => {
      const rows = this.#rows[i];
      return rows ? { ...place, rows: { ids: [...rows], width: this.#width(i) } } : place;
    });
  }

  get state(): TouchedState {
    return this.#rows.map((rows) => rows && [...rows]);
  }

  set state(state: TouchedState) {
    this.#rows = state.map((rows) => rows && new Set(rows));
  }

  #width(i: number): number {
    return this.#parameters[i].shape.at(-1) ?? 1;
  }
}
