/**
 * Stacked cells as one cell: in every step, the output of each cell is the input of the next one. They differ from
 * consecutive recurrent layers only in masks and dropout: a masked step holds the states of the whole stack.
 * Constants are passed to every cell that declares them.
 */
import { mul, reshape, type Shape, type Tensor, valueError } from '@unroll/core';
import { shown } from '@unroll/core/internal';
import {
  type Cell,
  type CellConstants,
  type CellMasks,
  type NamedTensors,
  type ParameterMaker,
  type SequenceContext,
  type SequenceResult,
  type StepContext,
  type StepResult,
  zeroState,
} from './cell.js';
import { runCell } from './run.js';

const NO_MASKS: CellMasks = { inputMask: null, recurrentMask: null };

/** The tensors of all cells, in stack order: `0.h`, `0.c`, `1.h`, ... */
export type StackedState = Record<`${number}.${string}`, Tensor>;

export class StackedCells implements Cell<StackedState> {
  static readonly className = 'StackedRNNCells';
  readonly className = StackedCells.className;
  readonly cells: readonly Cell[];
  readonly units: number;
  /** The states of all cells, in stack order: `0.h`, `0.c`, `1.h`, ... */
  readonly stateSizes: Readonly<Record<string, number>>;
  /** The constants of all cells without duplicates. */
  readonly constants: readonly string[];

  constructor({ cells }: { cells: readonly Cell[] }) {
    const last = cells.at(-1);
    if (!last) throw valueError('stackedCells needs at least one cell, got none.');
    if (new Set(cells).size < cells.length)
      throw valueError('stackedCells: the cells must be distinct objects.');
    this.cells = cells;
    this.units = last.units;
    this.stateSizes = joined(cells.map((cell) => cell.stateSizes));
    this.constants = [...new Set(cells.flatMap((cell) => cell.constants ?? []))];
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

  build(inputSize: number, make: ParameterMaker, constantShapes: Readonly<Record<string, Shape>>): void {
    let width = inputSize;
    this.cells.forEach((cell, n) => {
      cell.build(width, (name, ...rest) => make(`cell_${n}/${name}`, ...rest), constantShapes);
      width = cell.units;
    });
  }

  prepare(constants: CellConstants): NamedTensors {
    return joined(this.cells.map((cell) => cell.prepare?.(constants) ?? {}));
  }

  zeroState(batch: number, constants: CellConstants): StackedState {
    return joined(this.cells.map((cell) => zeroState(cell, batch, constants)));
  }

  step(x: Tensor, state: StackedState, context: StepContext): StepResult<StackedState> {
    const { constants, inner } = context;
    let y = x;
    const states = this.cells.map((cell, n) => {
      const { inputMask, ...masks } = inner?.[n] ?? NO_MASKS;
      const seen = inputMask ? mul(y, inputMask) : y;
      const prepared = partOf(context.prepared, n);
      const result = cell.step(seen, partOf(state, n), { ...masks, constants, prepared });
      y = result.y;
      return result.state;
    });
    return { y, state: joined(states) };
  }

  /**
   * Runs the cells one after another over the whole sequence. The results are the same, and fused kernels can be
   * used.
   */
  sequence(
    x: Tensor,
    state: StackedState | null,
    { inner, ...context }: SequenceContext,
  ): SequenceResult<StackedState> {
    let y = x;
    const states = this.cells.map((cell, n) => {
      const last = n === this.cells.length - 1;
      const { inputMask, ...masks } = inner?.[n] ?? NO_MASKS;
      const seen = inputMask ? mul(y, reshape(inputMask, [inputMask.shape[0], 1, inputMask.shape[1]])) : y;
      const between = last ? {} : { returnSequences: true, realign: true };
      const own = state && partOf(state, n);
      const prepared = partOf(context.prepared, n);
      const result = runCell(cell, seen, own, { ...context, ...masks, ...between, prepared });
      y = result.y;
      return result.state;
    });
    return { y, state: joined(states) };
  }

  clone(): StackedCells {
    return new StackedCells({
      cells: this.cells.map((cell) => {
        if (cell.clone) return cell.clone();
        throw valueError(
          `stackedCells: a second copy of the stack needs ${cell.className}.clone(), which does not exist. Implement it.`,
        );
      }),
    });
  }
}

/** The entries whose names begin with `n.`, without that prefix. */
function partOf(whole: NamedTensors, n: number): Record<string, Tensor> {
  const part: Record<string, Tensor> = {};
  for (const name in whole) {
    const dot = name.indexOf('.');
    if (Number(name.slice(0, dot)) === n) part[name.slice(dot + 1)] = whole[name];
  }
  return part;
}

function joined<T>(parts: readonly Readonly<Record<string, T>>[]): Record<`${number}.${string}`, T> {
  const whole: Record<`${number}.${string}`, T> = {};
  parts.forEach((part, n) => {
    for (const name in part) whole[`${n}.${name}`] = part[name];
  });
  return whole;
}

/** Stacks cells into one cell, for `recurrent`. */
export function stackedCells(cells: readonly Cell[]): StackedCells {
  if (!Array.isArray(cells))
    throw valueError(
      `stackedCells takes an array of cells, as in stackedCells([lstmCell({ units: 8 })]), got ${shown(cells)}.`,
    );
  return new StackedCells({ cells });
}
