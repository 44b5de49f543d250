/** The frame of the page: header, settings, tabs and the chosen view. */
import type { ComponentChildren } from 'preact';
import { setTheme, theme } from '../charts/palette.js';
import { lang, t } from '../i18n/index.js';
import type { ErrorData } from '../problems/input-error.js';
import { reset, setRunning, singleStep } from '../state/actions.js';
import { type CellKind, VIEWS, type ViewName } from '../state/settings.js';
import * as store from '../state/store.js';
import { tourOpen } from '../tour/open.js';
import { GatesView } from '../views/gates.js';
import { GradientsView } from '../views/gradients.js';
import { TrainView } from '../views/train.js';
import { FailureBox } from './failure.js';
import { Knobs } from './knobs.js';
import { cellName, Lanes } from './lanes.js';
import { lazy } from './lazy.js';

const COMPONENTS: Readonly<Record<ViewName, () => ComponentChildren>> = {
  train: TrainView,
  network: lazy(async () => (await import('../views/network.js')).NetworkView),
  gates: GatesView,
  gradients: GradientsView,
  influence: lazy(async () => (await import('../views/influence.js')).InfluenceView),
  predictions: lazy(async () => (await import('../views/predictions.js')).PredictionsView),
  states: lazy(async () => (await import('../views/states.js')).StatesView),
  files: lazy(async () => (await import('../views/files.js')).FilesView),
};

const Tour = lazy(async () => (await import('../tour/panel.js')).TourPanel);

/** Largest width of the page, in pixels, at which the settings are closed at first, as in styles.css. */
const NARROW = 760;

export function App() {
  const View = COMPONENTS[store.view.value];
  return (
    <div class="page">
      <Header />
      <aside class="side" aria-label={t('settings')}>
        <details open={innerWidth > NARROW}>
          <summary>{t('settings')}</summary>
          <Knobs />
        </details>
      </aside>
      <main class="main">
        <Failures />
        <Lanes />
        <Tabs />
        <div role="tabpanel" id="view" aria-labelledby={`tab-${store.view.value}`} class="view">
          <View />
        </div>
      </main>
      {tourOpen.value && <Tour />}
    </div>
  );
}

/** Handles keys: Space starts and pauses, S makes one step, R resets. Keys for a form field or a button are ignored. */
export function shortcuts(event: KeyboardEvent): void {
  const target = event.target as HTMLElement;
  if (
    /^(INPUT|SELECT|TEXTAREA|BUTTON)$/.test(target.tagName) ||
    event.ctrlKey ||
    event.metaKey ||
    event.altKey
  )
    return;
  const actions: Readonly<Record<string, () => void>> = {
    ' ': () => setRunning(!store.running.value),
    s: singleStep,
    r: reset,
  };
  const action = actions[event.key.toLowerCase()];
  if (!action) return;
  event.preventDefault();
  action();
}

function Header() {
  const running = store.running.value;
  const engine = store.engine.value;
  return (
    <header class="header">
      <h1>
        Unroll <span>Studio</span>
      </h1>
      <div class="controls" role="toolbar" aria-label={t('training')}>
        <button type="button" class="primary" id="run" onClick={() => setRunning(!running)}>
          {running ? t('pause') : t('train')}
        </button>
        <button type="button" id="step" onClick={singleStep} title="S">
          {t('step')}
        </button>
        <button type="button" id="reset" onClick={reset} title="R">
          {t('reset')}
        </button>
      </div>
      <p class="engine" id="engine" data-ready={engine !== null}>
        {engine
          ? t(engine.threads > 1 ? 'engineThreads' : 'engineOne', { n: engine.threads })
          : t('starting')}
      </p>
      <div class="controls end">
        <button
          type="button"
          id="tour"
          aria-expanded={tourOpen.value}
          onClick={() => (tourOpen.value = !tourOpen.value)}
        >
          {t('tour')}
        </button>
        <button
          type="button"
          id="lang"
          onClick={() => (lang.value = lang.value === 'zh' ? 'en' : 'zh')}
          lang={lang.value === 'zh' ? 'en' : 'zh'}
        >
          {lang.value === 'zh' ? 'English' : '中文'}
        </button>
        <select
          id="theme"
          aria-label={t('theme')}
          value={theme.value}
          onChange={(event) => setTheme(event.currentTarget.value as 'auto')}
        >
          <option value="auto">{t('themeAuto')}</option>
          <option value="light">{t('themeLight')}</option>
          <option value="dark">{t('themeDark')}</option>
        </select>
      </div>
    </header>
  );
}

/** Shows the failure of the page, if there is one, and the cells that stopped training. */
function Failures() {
  const stopped = Object.entries(store.stopped.value) as [CellKind, ErrorData][];
  return (
    <>
      <FailureBox failure={store.failure.value} id="failure" />
      {stopped.map(([cell, error]) => (
        <FailureBox
          key={cell}
          id={`stopped-${cell}`}
          failure={{ advice: 'advice_stopped', values: { cell: cellName(cell) }, error }}
        />
      ))}
    </>
  );
}

function Tabs() {
  const current = store.view.value;
  const move = (event: KeyboardEvent): void => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    const next = VIEWS[(VIEWS.indexOf(current) + step + VIEWS.length) % VIEWS.length];
    store.view.value = next;
    document.getElementById(`tab-${next}`)?.focus();
  };
  return (
    <div class="tabs" role="tablist" aria-label={t('views')} onKeyDown={move}>
      {VIEWS.map((name) => (
        <button
          key={name}
          type="button"
          role="tab"
          id={`tab-${name}`}
          aria-selected={name === current}
          aria-controls="view"
          tabIndex={name === current ? 0 : -1}
          onClick={() => (store.view.value = name)}
        >
          {t(`view_${name}`)}
        </button>
      ))}
    </div>
  );
}
