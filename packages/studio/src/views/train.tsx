/** Loss and other curves of all cells, and the current gates and gradient flow. */
import { signal } from '@preact/signals';
import { type Line, LineChart } from '../charts/line-chart.js';
import { cellColors, ink } from '../charts/palette.js';
import { t } from '../i18n/index.js';
import { type History, smooth } from '../state/history.js';
import * as store from '../state/store.js';
import { cellName } from '../ui/lanes.js';
import { Panel } from '../ui/panel.js';
import { runLines } from './compare.js';
import { GateMaps } from './gates.js';
import { FlowChart } from './gradients.js';
import { AlignmentPanel } from './live-alignment.js';

const METRICS = ['loss', 'validation', 'accuracy', 'norm', 'clipped', 'rate', 'perSecond'] as const;
type MetricName = (typeof METRICS)[number];

const logLoss = signal(true);
const smoothing = signal(0.9);

export function TrainView() {
  const problem = store.problem.value;
  return (
    <>
      <Panel title={t('lossTitle')} id="loss" wide actions={<LossOptions />}>
        <LineChart
          label={t('lossTitle')}
          lines={[
            ...linesOf('loss', smoothing.value),
            ...validationLines(),
            ...runLines(),
            ...baselineLine(),
          ]}
          xLabel={t('update')}
          yLabel={t('loss')}
          log={logLoss.value}
          height={230}
        />
      </Panel>
      {problem?.attention && <AlignmentPanel problem={problem} />}
      <Panel title={t('flowTitle')} hint={t('flowHint')} id="flow-now">
        <FlowChart height={200} />
      </Panel>
      <Panel
        title={t('gatesTitle', { cell: cellName(store.cell.value) })}
        hint={t('gatesHintShort')}
        id="gates-now"
      >
        <GateMaps height={64} maxMaps={4} />
      </Panel>
      {METRICS.slice(2).map((name) => (
        <Metric key={name} name={name} />
      ))}
    </>
  );
}

function Metric({ name }: { name: MetricName }) {
  const lines = linesOf(name, name === 'rate' || name === 'accuracy' ? 0 : 0.9);
  if (name === 'accuracy' && store.problem.value?.classes === null) return null;
  const isShare = name === 'accuracy' || name === 'clipped';
  return (
    <Panel title={t(`metric_${name}`)} id={`metric-${name}`}>
      <LineChart
        label={t(`metric_${name}`)}
        lines={[...lines, ...(name === 'norm' ? clipLine() : [])]}
        xLabel={t('update')}
        yLabel={t(`unit_${name}`)}
        height={150}
        log={name === 'norm'}
        {...(isShare && { range: [0, 1] as const })}
      />
    </Panel>
  );
}

/** One line per cell. */
function linesOf(name: keyof History, factor: number): Line[] {
  store.ticks.value;
  return store.settings.value.cells.map((cell) => {
    const { x, y } = store.histories[cell][name];
    return { name: cellName(cell), color: cellColors.value[cell], x, y: factor > 0 ? smooth(y, factor) : y };
  });
}

const validationLines = (): Line[] =>
  linesOf('validation', 0).map((line) => ({
    ...line,
    name: `${line.name} ${t('heldOut')}`,
    dash: [4, 3],
    width: 1,
  }));

/** Returns the first and the last update, at least 1 and 2. */
function extent(): [number, number] {
  const ends = store.settings.value.cells.flatMap((cell) => store.histories[cell].loss.x.at(-1) ?? []);
  return [1, Math.max(2, ...ends)];
}

function baselineLine(): Line[] {
  const { baseline = null } = store.problem.value ?? {};
  if (baseline === null) return [];
  return [
    { name: t('withoutMemory'), color: ink.value.faint, x: extent(), y: [baseline, baseline], dash: [2, 4] },
  ];
}

function clipLine(): Line[] {
  const { clip } = store.settings.value;
  return clip > 0
    ? [{ name: t('clip'), color: ink.value.faint, x: extent(), y: [clip, clip], dash: [2, 4] }]
    : [];
}

function LossOptions() {
  return (
    <div class="options">
      <label>
        <input
          type="checkbox"
          id="log-loss"
          checked={logLoss.value}
          onChange={() => (logLoss.value = !logLoss.value)}
        />
        {t('logScale')}
      </label>
      <label>
        {t('smoothing')}
        <input
          type="range"
          min={0}
          max={0.99}
          step={0.01}
          value={smoothing.value}
          onInput={(event) => (smoothing.value = Number(event.currentTarget.value))}
        />
      </label>
    </div>
  );
}
