/**
 * The tour "Why LSTM remembers": ten steps, each of which sets up the page and says what to look for. They follow the usual order
 * of textbooks: RNN, vanishing gradient, gates, LSTM, GRU, choosing a cell.
 */
import { smooth } from '../state/history.js';
import type { CellKind, Settings, ViewName } from '../state/settings.js';
import * as store from '../state/store.js';

export interface TourStep {
  /** Settings that differ from those of the preset. */
  settings: Partial<Settings>;
  /** The view to show, and the cell to select. */
  view: ViewName;
  cell: CellKind;
  /** Whether training runs. */
  run: boolean;
  /** Returns whether the goal of the step is met; null: the step has no goal. */
  met: (() => boolean) | null;
}

const ADDING = { preset: 'adding', seed: 0, batch: 32, layers: 1, units: 32, dropout: 0 } as const;
const SHORT = { ...ADDING, length: 10, learningRate: 0.005, clip: 1, init: 'default' } as const;
const LONG = { ...ADDING, length: 60, learningRate: 0.005, clip: 1, init: 'glorot' } as const;
const GATED = { ...LONG, init: 'chrono' } as const;

/** Returns the mean loss of the latest updates; null if there are too few. */
export function recentLoss(cell: CellKind): number | null {
  store.ticks.value; // reading the signal makes the caller render again after a change
  const { y } = store.histories[cell].loss;
  return y.length < 20 ? null : (smooth(y.slice(-40), 0.9).at(-1) ?? null);
}

const updates = (cell: CellKind): number => {
  store.ticks.value;
  return store.histories[cell].loss.x.at(-1) ?? 0;
};

/** Returns the gradient of the hidden state at the largest lag, relative to lag 0; null before it is computed. */
export function gradientLeft(cell: CellKind): number | null {
  const curve = store.snapshots.value[cell]?.values.flow?.curves.find(({ state }) => state === 'h');
  return curve ? curve.relative[curve.relative.length - 1] : null;
}

const isBelow = (cell: CellKind, limit: number): boolean => (recentLoss(cell) ?? 1) < limit;

export const TOUR: readonly TourStep[] = [
  {
    settings: { ...SHORT, cells: ['rnn'] },
    view: 'network',
    cell: 'rnn',
    run: false,
    met: () => store.step.value === 3,
  },
  {
    settings: { ...SHORT, cells: ['rnn'] },
    view: 'train',
    cell: 'rnn',
    run: true,
    met: () => isBelow('rnn', 0.03),
  },
  {
    settings: { ...LONG, cells: ['rnn'] },
    view: 'train',
    cell: 'rnn',
    run: true,
    met: () => updates('rnn') >= 300 && !isBelow('rnn', 0.1),
  },
  {
    settings: { ...LONG, cells: ['rnn'] },
    ...{ view: 'gradients', cell: 'rnn', run: false },
    met: () => (gradientLeft('rnn') ?? 1) < 1e-3,
  },
  {
    settings: { ...LONG, cells: ['rnn'], init: 'large', clip: 0, learningRate: 0.02 },
    ...{ view: 'train', cell: 'rnn', run: true },
    met: () => updates('rnn') >= 50 || store.stopped.value.rnn !== undefined,
  },
  {
    settings: { ...GATED, cells: ['lstm'] },
    view: 'gates',
    cell: 'lstm',
    run: true,
    met: () => store.unit.value !== null,
  },
  {
    settings: { ...GATED, cells: ['lstm'] },
    ...{ view: 'network', cell: 'lstm', run: false },
    met: () => store.snapshots.value.lstm?.values.trace !== undefined,
  },
  {
    settings: { ...GATED, cells: ['rnn', 'lstm'] },
    ...{ view: 'gradients', cell: 'lstm', run: true },
    met: () => (gradientLeft('lstm') ?? 0) > 100 * (gradientLeft('rnn') ?? 1),
  },
  {
    settings: { ...GATED, cells: ['rnn', 'lstm', 'gru'] },
    view: 'train',
    cell: 'gru',
    run: true,
    met: () => isBelow('gru', 0.05) || isBelow('lstm', 0.05),
  },
  { settings: {}, view: 'train', cell: 'gru', run: false, met: null },
];
