/** The panel of the tour, which sets up the page for each step. */
import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { formatNumber } from '../charts/format-number.js';
import { lang, t } from '../i18n/index.js';
import { configure, setRunning } from '../state/actions.js';
import { DEFAULTS } from '../state/settings.js';
import * as store from '../state/store.js';
import { tourOpen } from './open.js';
import { gradientLeft, recentLoss, TOUR } from './steps.js';
import { TOUR_TEXTS } from './texts.js';

const index = signal(0);

/** Sets up the page for a step. */
function enter(n: number): void {
  index.value = n;
  const { settings, view, cell, run } = TOUR[n];
  store.view.value = view;
  if (settings.preset) {
    const next = { ...DEFAULTS[settings.preset], ...settings };
    // If the settings do not change, the networks keep their training.
    if (JSON.stringify(next) !== JSON.stringify(store.settings.value)) configure(next);
    store.cell.value = cell;
    if (n === 0) store.step.value = 0;
  }
  setRunning(run);
}

export function TourPanel() {
  const n = index.value;
  const { title, paragraphs, goal } = TOUR_TEXTS[lang.value][n];
  useEffect(() => {
    enter(index.value);
  }, []);
  return (
    <section class="tour" aria-label={t('tour')} id="tour-panel">
      <div class="tour-head">
        <small>{t('tourStep', { n: n + 1, total: TOUR.length })}</small>
        <button
          type="button"
          class="tour-close"
          aria-label={t('closeTour')}
          onClick={() => (tourOpen.value = false)}
        >
          ×
        </button>
      </div>
      <h2>{title}</h2>
      {paragraphs.map((text) => (
        <p key={text}>{text}</p>
      ))}
      {goal && <Goal text={goal} n={n} />}
      <div class="tour-nav">
        <button type="button" id="tour-back" disabled={n === 0} onClick={() => enter(n - 1)}>
          {t('tourBack')}
        </button>
        {n < TOUR.length - 1 ? (
          <button type="button" class="primary" id="tour-next" onClick={() => enter(n + 1)}>
            {t('tourNext')}
          </button>
        ) : (
          <button type="button" class="primary" id="tour-end" onClick={() => (tourOpen.value = false)}>
            {t('tourEnd')}
          </button>
        )}
      </div>
    </section>
  );
}

/** The goal of the step, with the current numbers. */
function Goal({ text, n }: { text: string; n: number }) {
  const { met, view, settings } = TOUR[n];
  const done = met?.() ?? false;
  const numbers = (settings.cells ?? []).flatMap((cell) => {
    const value = view === 'gradients' ? gradientLeft(cell) : recentLoss(cell);
    return value === null ? [] : `${cell.toUpperCase()} ${formatNumber(value)}`;
  });
  return (
    <p class="goal" data-met={done} id="tour-goal" aria-live="polite">
      {`${done ? '✓' : '○'} ${text}`}
      {numbers.length > 0 && view !== 'network' && <small>{` (${numbers.join(', ')})`}</small>}
    </p>
  );
}
