/** One card per cell with its current results. Clicking a card selects the cell for the other views. */

import { formatNumber } from '../charts/format-number.js';
import { cellColors } from '../charts/palette.js';
import { t } from '../i18n/index.js';
import { smooth } from '../state/history.js';
import type { CellKind } from '../state/settings.js';
import * as store from '../state/store.js';

const NAMES: Readonly<Record<CellKind, string>> = { rnn: 'RNN', lstm: 'LSTM', gru: 'GRU', minGru: 'minGRU' };
export const cellName = (cell: CellKind): string => NAMES[cell];

export const Swatch = ({ cell }: { cell: CellKind }) => (
  <span class="swatch" style={{ background: cellColors.value[cell] }} aria-hidden="true" />
);

export function Lanes() {
  return (
    <section class="lanes" aria-label={t('selectedCell')}>
      {store.settings.value.cells.map((cell) => (
        <LaneCard key={cell} cell={cell} />
      ))}
    </section>
  );
}

function LaneCard({ cell }: { cell: CellKind }) {
  store.ticks.value;
  const { loss, perSecond } = store.histories[cell];
  const info = store.lanes.value.find((lane) => lane.cell === cell);
  const { baseline = null, solvedLoss = null } = store.problem.value ?? {};
  const current = smooth(loss.y.slice(-40), 0.9).at(-1) ?? null;
  const isSolved = current !== null && solvedLoss !== null && current < solvedLoss;
  const stopped = store.stopped.value[cell];
  const speed =
    perSecond.y.length > 0
      ? perSecond.y.slice(-20).reduce((a, b) => a + b, 0) / Math.min(20, perSecond.y.length)
      : null;
  const progress =
    current === null || baseline === null ? 0 : Math.max(0, Math.min(1, 1 - current / baseline));
  return (
    <button
      type="button"
      id={`lane-${cell}`}
      class="lane"
      aria-pressed={store.cell.value === cell}
      style={{ '--cell': cellColors.value[cell] }}
      onClick={() => {
        store.cell.value = cell;
      }}
    >
      <strong>{cellName(cell)}</strong>
      <span class="lane-loss">{current === null ? '–' : formatNumber(current)}</span>
      <span class="lane-state">
        {stopped
          ? `⚠ ${t('stopped')}`
          : isSolved
            ? `✓ ${t('solved')}`
            : t('updates', { n: loss.x.at(-1) ?? 0 })}
      </span>
      <span class="lane-facts">
        {info ? t('parameters', { n: info.parameters.toLocaleString() }) : ''}
        {speed === null ? '' : ` · ${t('perSecond', { n: formatNumber(Math.round(speed)) })}`}
      </span>
      <meter min={0} max={1} value={progress} aria-label={t('progress')} />
    </button>
  );
}
