/** The state of the page, as signals. Views read them; actions.ts changes them. */
import { signal } from '@preact/signals';
import type { LaneInfo, LookValues, ProblemInfo } from '../engine/protocol.js';
import type { UserData } from '../problems/index.js';
import type { ErrorData } from '../problems/input-error.js';
import { SAMPLE_LINES, SAMPLE_TEXT } from '../problems/samples.js';
import type { Failure } from './failure.js';
import { emptyHistory, type History } from './history.js';
import { CELLS, type CellKind, fromFragment, oneOf, VIEWS, type ViewName } from './settings.js';

const initial = fromFragment(location.hash);

export const settings = signal(initial.settings);
/** Whether the page was opened by `unroll studio <path>`. The server then sends the files at this path. */
export const opensFiles = initial.params.get('open') === '1';
export const view = signal<ViewName>(oneOf(VIEWS, initial.params.get('view')) ?? 'train');
export const userData = signal<UserData>({ text: SAMPLE_TEXT, lines: SAMPLE_LINES, column: null });

/** The backend of the worker; null: the worker is not ready. */
export const engine = signal<{ threads: number; backend: string } | null>(null);
export const running = signal(false);
/** What prevents the worker from training or a view from showing values; null: nothing. */
export const failure = signal<Failure | null>(null);
export const problem = signal<ProblemInfo | null>(null);
/** The cells that train side by side, each with its network. */
export const lanes = signal<readonly LaneInfo[]>([]);
/** The cells that stopped training, with the reason. */
export const stopped = signal<Readonly<Partial<Record<CellKind, ErrorData>>>>({});

/** The latest values that were computed for a cell, and the update after which they were computed. */
export interface Snapshot {
  update: number;
  example: number;
  values: LookValues;
}
export const snapshots = signal<Readonly<Partial<Record<CellKind, Snapshot>>>>({});

/** The curves. They are modified in place, and `ticks` counts the changes. */
export const histories: Record<CellKind, History> = Object.fromEntries(
  CELLS.map((cell) => [cell, emptyHistory()]),
) as Record<CellKind, History>;
export const ticks = signal(0);

/** Returns an index from the address, where indices start at 1. Default 0. */
function indexIn(name: string): number {
  const value = Number(initial.params.get(name)) - 1;
  return Number.isInteger(value) && value >= 0 && value < 10_000 ? value : 0;
}

/** The selection, which all views share: cell, example, layer, step and unit. */
export const cell = signal<CellKind>(
  settings.value.cells.find((kind) => kind === (initial.params.get('cell') ?? 'lstm')) ??
    settings.value.cells[0],
);
export const example = signal(indexIn('example'));
export const layer = signal(indexIn('layer'));
/** The selected step of the example. Until the problem is known, -1 stands for the last step. */
export const step = signal(-1);
/** True: the gradient flow of the output is drawn, relative to lag 0. False: the gradient flow of the loss is drawn, as norms. */
export const flowIsRelative = signal(true);
/** The selected unit of the layer; null: none. */
export const unit = signal<number | null>(null);

/** Returns the cells for which values with this name have been computed, and the values. */
export function latestValues<K extends keyof LookValues>(
  name: K,
): { cell: CellKind; value: NonNullable<LookValues[K]> }[] {
  return settings.value.cells.flatMap((kind) => {
    const value = snapshots.value[kind]?.values[name];
    return value === undefined ? [] : [{ cell: kind, value: value as NonNullable<LookValues[K]> }];
  });
}
