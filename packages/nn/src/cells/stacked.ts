/**
 * Stacks cells into one cell: in every step, the output of each cell is the input of the next. The results equal those of
 * consecutive recurrent layers that have the same mask: a masked step leaves the states of all cells unchanged. Each cell
 * has its own dropout. Constants are passed to every cell that declares them.
 */
import { mul, reshape, type Shape, type Tensor, valueError } from '@unroll/core';
import { formatValue } from '@unroll/core/internal';
import type { BuildTools } from '../registry.js';
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

const NO_MASKS: CellMasks = { inputMask: null, recurrentDropoutMask: null };

/** The states of all cells, in stack order: `0.h`, `0.c`, `1.h`, ... */
export type StackedState = Record<`${number}.${string}`, Tensor>;

export class StackedCells implements Cell<StackedState> {
  static readonly className = 'StackedRNNCells';
  readonly className = StackedCells.className;
  readonly cells: readonly Cell[];
  readonly units: number;
  readonly stateSizes: Readonly<Record<string, number>>;
  /** Names of the constants of all cells, without duplicates. */
  readonly constants: readonly string[];

  constructor({ cells }: { cells: readonly Cell[] }) {
    const last = cells.at(-1);
    if (!last) throw valueError('stackedCells needs at least one cell, got none.');
    if (new Set(cells).size < cells.length)
      throw valueError('stackedCells: the cells must be distinct objects.');
    this.cells = cells;
    this.units = last.units;
    this.stateSizes = withPrefixes(cells.map((cell) => cell.stateSizes));
    this.constants = [...new Set(cells.flatMap((cell) => cell.constants ?? []))];
  }

  static fromConfig({ cells }: Record<string, unknown>, build: BuildTools): StackedCells {
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
    return withPrefixes(this.cells.map((cell) => cell.prepare?.(constants) ?? {}));
  }

  zeroState(batch: number, constants: CellConstants): StackedState {
    return withPrefixes(this.cells.map((cell) => zeroState(cell, batch, constants)));
  }

  step(x: Tensor, state: StackedState, context: StepContext): StepResult<StackedState> {
    const { constants, inner } = context;
    let y = x;
    const states = this.cells.map((cell, n) => {
      const { inputMask, ...masks } = inner?.[n] ?? NO_MASKS;
      const input = inputMask ? mul(y, inputMask) : y;
      const prepared = partOf(context.prepared, n);
      const result = cell.step(input, partOf(state, n), { ...masks, constants, prepared });
      y = result.y;
      return result.state;
    });
    return { y, state: withPrefixes(states) };
  }

  /**
   * Runs each cell over the whole sequence before the next one. The results equal those of `step`, and the cells can
   * use fused kernels.
   */
  sequence(
    x: Tensor,
    state: StackedState | null,
    { inner, ...context }: SequenceContext,
  ): SequenceResult<StackedState> {
    let y = x;
    const states = this.cells.map((cell, n) => {
      const isLast = n === this.cells.length - 1;
      const { inputMask, ...masks } = inner?.[n] ?? NO_MASKS;
      const input = inputMask ? mul(y, reshape(inputMask, [inputMask.shape[0], 1, inputMask.shape[1]])) : y;
      const overrides = isLast ? {} : { returnSequences: true, timeOrder: true };
      const cellState = state && partOf(state, n);
      const prepared = partOf(context.prepared, n);
      const result = runCell(cell, input, cellState, { ...context, ...masks, ...overrides, prepared });
      y = result.y;
      return result.state;
    });
    return { y, state: withPrefixes(states) };
  }

  clone(): StackedCells {
    return new StackedCells({
      cells: this.cells.map((cell) => {
        if (cell.clone) return cell.clone();
        throw valueError(
          `stackedCells: cannot be cloned, because ${cell.className} has no method clone(). Implement it.`,
        );
      }),
    });
  }
}

/** Returns the tensors of cell n: those whose names begin with `n.`, without that prefix. */
function partOf(tensors: NamedTensors, n: number): Record<string, Tensor> {
  const part: Record<string, Tensor> = {};
  for (const name in tensors) {
    const dot = name.indexOf('.');
    if (Number(name.slice(0, dot)) === n) part[name.slice(dot + 1)] = tensors[name];
  }
  return part;
}

/** Merges records, one per cell; the names in record n get the prefix `n.`. */
function withPrefixes<T>(parts: readonly Readonly<Record<string, T>>[]): Record<`${number}.${string}`, T> {
  const merged: Record<`${number}.${string}`, T> = {};
  parts.forEach((part, n) => {
    for (const name in part) merged[`${n}.${name}`] = part[name];
  });
  return merged;
}

/** Stacks cells into one cell, for `recurrent`. */
export function stackedCells(cells: readonly Cell[]): StackedCells {
  if (!Array.isArray(cells))
    throw valueError(
      `stackedCells takes an array of cells, as in stackedCells([lstmCell({ units: 8 })]), got ${formatValue(cells)}.`,
    );
  return new StackedCells({ cells });
}
