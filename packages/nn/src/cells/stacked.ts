/**
 * Cells on top of each other as one cell: in every step, each cell's output is the input of the next. Differs from
 * recurrent layers in a row only in where masks and dropout act: a masked step holds the whole stack.
 */
import { mul, reshape, type Tensor, valueError } from '@unroll/core';
import {
  type Cell,
  type CellMasks,
  type CellState,
  type ParameterMaker,
  type SequenceContext,
  type SequenceResult,
  type StepContext,
  type StepResult,
  zeroState,
} from './cell.js';
import { runCell } from './run.js';

const NO_MASKS: CellMasks = { inputMask: null, recurrentMask: null };

export class StackedCells implements Cell {
  static readonly className = 'StackedRNNCells';
  readonly className = StackedCells.className;
  readonly cells: readonly Cell[];
  readonly units: number;
  /** Those of the cells, in stack order: `0.h`, `0.c`, `1.h`, ... */
  readonly stateSizes: Readonly<Record<string, number>>;

  constructor({ cells }: { cells: readonly Cell[] }) {
    if (cells.length === 0) throw valueError('stackedCells needs at least one cell.');
    if (new Set(cells).size < cells.length)
      throw valueError('stackedCells: each cell of a stack is one of its own.');
    this.cells = cells;
    this.units = cells.at(-1)!.units;
    this.stateSizes = Object.fromEntries(
      cells.flatMap((cell, n) =>
        Object.entries(cell.stateSizes).map(([name, size]) => [`${n}.${name}`, size]),
      ),
    );
  }

  static fromConfig(
    { cells }: Record<string, unknown>,
    build: { cell(config: unknown): Cell },
  ): StackedCells {
    return new StackedCells({ cells: (cells as unknown[]).map(build.cell) });
  }

  get config(): Readonly<Record<string, unknown>> {
    return { cells: this.cells.map(({ className, config }) => ({ className, config })) };
  }

  build(inputSize: number, make: ParameterMaker): void {
    let width = inputSize;
    this.cells.forEach((cell, n) => {
      cell.build(width, (name, ...rest) => make(`cell_${n}/${name}`, ...rest));
      width = cell.units;
    });
  }

  zeroState(batch: number): CellState {
    return joined(this.cells.map((cell) => zeroState(cell, batch)));
  }

  step(x: Tensor, state: CellState, { inner }: StepContext): StepResult {
    let y = x;
    const states = this.cells.map((cell, n) => {
      const masks = inner?.[n] ?? NO_MASKS;
      const result = cell.step(masks.inputMask ? mul(y, masks.inputMask) : y, this.#part(state, n), masks);
      y = result.y;
      return result.state;
    });
    return { y, state: joined(states) };
  }

  /** The cells one after another, each over the whole sequence: the same numbers, and fused where the cells are. */
  sequence(x: Tensor, state: CellState | null, { inner, ...context }: SequenceContext): SequenceResult {
    let y = x;
    const states = this.cells.map((cell, n) => {
      const last = n === this.cells.length - 1;
      const { inputMask, ...masks } = inner?.[n] ?? NO_MASKS;
      const seen = inputMask ? mul(y, reshape(inputMask, [inputMask.shape[0], 1, inputMask.shape[1]])) : y;
      const between = last ? {} : { returnSequences: true, realign: true };
      const own = state && this.#part(state, n);
      const result = runCell(cell, seen, own, { ...context, ...masks, ...between });
      y = result.y;
      return result.state;
    });
    return { y, state: joined(states) };
  }

  clone(): Cell {
    return new StackedCells({
      cells: this.cells.map((cell) => {
        if (cell.clone) return cell.clone();
        throw valueError(`${cell.className} has no clone(), which a second stack of it needs. Give it one.`);
      }),
    });
  }

  #part(state: CellState, n: number): CellState {
    const names = Object.keys(this.cells[n].stateSizes);
    return Object.fromEntries(names.map((name) => [name, state[`${n}.${name}`]]));
  }
}

function joined(states: readonly CellState[]): CellState {
  return Object.fromEntries(
    states.flatMap((state, n) => Object.entries(state).map(([name, tensor]) => [`${n}.${name}`, tensor])),
  );
}

/** Cells on top of each other as one cell, for `recurrent`. */
export function stackedCells(cells: readonly Cell[]): StackedCells {
  return new StackedCells({ cells });
}
