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
/** Whether the page was opened by `unroll studio <path>`, whose server has files for it. */
export const opensFiles = initial.params.get('open') === '1';
export const view = signal<ViewName>(oneOf(VIEWS, initial.params.get('view')) ?? 'train');
export const userData = signal<UserData>({ text: SAMPLE_TEXT, lines: SAMPLE_LINES, column: null });

export const engine = signal<{ threads: number; backend: string } | null>(null);
export const running = signal(false);
/** What keeps the worker from training, or a view from showing something; null: nothing. */
export const failure = signal<Failure | null>(null);
export const problem = signal<ProblemInfo | null>(null);
export const lanes = signal<readonly LaneInfo[]>([]);
/** Lanes that stopped, with the reason. */
export const stopped = signal<Readonly<Partial<Record<CellKind, ErrorData>>>>({});

/** The latest values of the instruments of a cell, and the update at which they were measured. */
export interface Seen {
  update: number;
  example: number;
  values: LookValues;
}
export const seen = signal<Readonly<Partial<Record<CellKind, Seen>>>>({});

/** The curves; they grow in place, and `ticks` counts the changes. */
export const histories: Record<CellKind, History> = Object.fromEntries(
  CELLS.map((cell) => [cell, emptyHistory()]),
) as Record<CellKind, History>;
export const ticks = signal(0);

/** An index in the address, where it counts from 1; 0 by default. */
function indexIn(name: string): number {
  const value = Number(initial.params.get(name)) - 1;
  return Number.isInteger(value) && value >= 0 && value < 10_000 ? value : 0;
}

/** What is selected in several views at once. */
export const cell = signal<CellKind>(
  settings.value.cells.find((each) => each === (initial.params.get('cell') ?? 'lstm')) ??
    settings.value.cells[0],
);
export const example = signal(indexIn('example'));
export const layer = signal(indexIn('layer'));
/** The selected step of the example; -1 until the problem is known: the last. */
export const step = signal(-1);
/** Whether gradient flow is drawn relative to lag 0; otherwise, it is that of the loss. */
export const flowIsRelative = signal(true);
/** The selected unit of the layer; null: none. */
export const unit = signal<number | null>(null);

/** The cells of which an instrument has measured something, with the values. */
export function measured<K extends keyof LookValues>(
  name: K,
): { cell: CellKind; value: NonNullable<LookValues[K]> }[] {
  return settings.value.cells.flatMap((each) => {
    const value = seen.value[each]?.values[name];
    return value === undefined ? [] : [{ cell: each, value: value as NonNullable<LookValues[K]> }];
  });
}
