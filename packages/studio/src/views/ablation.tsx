/** Ablation: sets units or a gate to a value, and compares the outputs with those of the unchanged network. */
import { signal } from '@preact/signals';
import { formatNumber } from '../charts/format-number.js';
import { type Line, LineChart } from '../charts/line-chart.js';
import { cellColors, ink } from '../charts/palette.js';
import type { AblationResult } from '../engine/ablation.js';
import type { PredictionValues, ProblemInfo } from '../engine/protocol.js';
import { t } from '../i18n/index.js';
import { ask } from '../state/actions.js';
import { type Failure, failureOf } from '../state/failure.js';
import * as store from '../state/store.js';
import { FailureBox } from '../ui/failure.js';
import { cellName } from '../ui/lanes.js';
import { Panel } from '../ui/panel.js';
import { outputRow } from './outputs.js';
import { visible } from './visible.js';

/** The choice in the select box: `units`, or the name of the gate that is set to a value. */
const target = signal('units');
const units = signal('1');
const value = signal(0);
const result = signal<AblationResult | null>(null);
const failure = signal<Failure | null>(null);

export function AblationPanel() {
  const layers = store.lanes.value.find(({ cell }) => cell === store.cell.value)?.layers ?? [];
  const recurrent = layers
    .filter(({ className }) => /LSTM|GRU|RNN|Recurrent/.test(className))
    .map(({ name }) => name);
  const layer = recurrent[Math.min(store.layer.value, recurrent.length - 1)];
  const saturation = store.snapshots.value[store.cell.value]?.values.saturation ?? [];
  const gates = Object.keys(saturation.find((values) => values.layer === layer)?.gates ?? {});
  const run = async (): Promise<void> => {
    const gate = gates.includes(target.value) ? target.value : null;
    const ablation = { layer, units: parseUnits(units.value), gate, value: value.value };
    try {
      result.value = await ask<AblationResult>({
        about: 'ablation',
        cell: store.cell.value,
        ablation,
        example: store.example.value,
      });
      failure.value = null;
    } catch (error) {
      failure.value = failureOf('advice_ablation', error);
    }
  };
  return (
    <Panel
      title={t('ablationTitle', { cell: cellName(store.cell.value) })}
      hint={t('ablationHint')}
      id="ablation"
      wide
    >
      <Choice gates={gates} />
      <button type="button" id="ablate" onClick={() => void run()} disabled={layer === undefined}>
        {t('ablate')}
      </button>
      <FailureBox failure={failure.value} />
      {result.value && store.problem.value && <Result result={result.value} problem={store.problem.value} />}
    </Panel>
  );
}

/** Returns the indices of unit numbers from 1, such as `1, 4-8`. Anything else in the text is ignored. */
export function parseUnits(text: string): number[] {
  return text.split(/[,\s]+/).flatMap((part) => {
    const [, from, to = from] = /^(\d+)(?:-(\d+))?$/.exec(part) ?? [];
    const [first, last] = [Number(from) - 1, Number(to) - 1];
    return from === undefined || last - first > 1000
      ? []
      : Array.from({ length: Math.max(0, last - first + 1) }, (_, n) => first + n);
  });
}

function Choice({ gates }: { gates: readonly string[] }) {
  const { value: selected } = store.unit;
  return (
    <div class="options">
      <label>
        {t('ablateWhat')}
        <select
          id="ablate-what"
          value={target.value}
          onChange={(event) => (target.value = event.currentTarget.value)}
        >
          <option value="units">{t('ablateUnits')}</option>
          {gates.map((name) => (
            <option key={name} value={name}>
              {t('ablateGate', { name })}
            </option>
          ))}
        </select>
      </label>
      {target.value === 'units' && (
        <label>
          {t('unitNumbers')}
          <input
            type="text"
            id="ablate-units"
            value={units.value}
            onInput={(event) => (units.value = event.currentTarget.value)}
          />
        </label>
      )}
      {target.value === 'units' && selected !== null && (
        <button type="button" onClick={() => (units.value = String(selected + 1))}>
          {t('useSelected', { unit: selected + 1 })}
        </button>
      )}
      <label>
        {t('fixedValue')} <b class="value">{value.value.toFixed(2)}</b>
        <input
          type="range"
          id="ablate-value"
          min={0}
          max={1}
          step={0.05}
          value={value.value}
          onInput={(event) => (value.value = Number(event.currentTarget.value))}
        />
      </label>
    </div>
  );
}

function Result({ result: { before, after }, problem }: { result: AblationResult; problem: ProblemInfo }) {
  const accuracy = ({ accuracy: share }: PredictionValues): string =>
    share === null ? '' : `, ${Math.round(100 * share)} %`;
  return (
    <>
      <p class="readout" id="ablation-result" aria-live="polite">
        {t('ablationLoss', {
          before: formatNumber(before.loss) + accuracy(before),
          after: formatNumber(after.loss) + accuracy(after),
        })}
      </p>
      <LineChart
        label={t('ablationTitle', { cell: '' })}
        lines={linesOf(before, after, problem)}
        xLabel={t(problem.classes ? 'output' : 'example')}
        yLabel={t('output')}
        height={200}
      />
      {problem.classes && problem.classes.length <= 12 && (
        <small>{problem.classes.map((name, n) => `${n + 1} ${visible(name)}`).join(', ')}</small>
      )}
    </>
  );
}

/** Returns the lines before and after: the outputs of all examples or, for classes, those at the selected example and step. */
function linesOf(before: PredictionValues, after: PredictionValues, problem: ProblemInfo): Line[] {
  const valuesOf = (predictions: PredictionValues): Float32Array =>
    problem.classes
      ? outputRow(problem, predictions, store.example.value, store.step.value)
      : predictions.outputs;
  const [y0, y1] = [valuesOf(before), valuesOf(after)];
  const x = Array.from(y0, (_, n) => n + 1);
  return [
    { name: t('before'), color: ink.value.text, x, y: y0 },
    { name: t('after'), color: cellColors.value[store.cell.value], x, y: y1, dash: [5, 3] },
  ];
}
