/** Influence: how strongly the output at a step depends on the input of each step (connectivity), and attribution. */

import { formatNumber } from '../charts/format-number.js';
import { type Line, LineChart } from '../charts/line-chart.js';
import { cellColors, ink } from '../charts/palette.js';
import type { InfluenceValues, ProblemInfo } from '../engine/protocol.js';
import { t } from '../i18n/index.js';
import type { CellKind } from '../state/settings.js';
import * as store from '../state/store.js';
import { cellName } from '../ui/lanes.js';
import { Panel, Pickers, Waiting } from '../ui/panel.js';
import { InputStrip, inputTexts } from './inputs.js';
import { AlignmentPanel } from './live-alignment.js';

export function InfluenceView() {
  const problem = store.problem.value;
  const found = store.latestValues('influence');
  if (!problem) return <Waiting />;
  const step = problem.perStep
    ? store.step.value
    : (problem.lengths[store.example.value] ?? problem.steps) - 1;
  return (
    <>
      <Panel
        title={t('influenceTitle', { step: step + 1 })}
        hint={t(problem.perStep ? 'influenceHint' : 'influenceHintLast')}
        id="influence"
        wide
      >
        <Pickers step={problem.perStep} />
        <InputStrip />
        {found.length === 0 && <Waiting />}
        {problem.vocabulary &&
          found.map((entry) => <Influence key={entry.cell} {...entry} problem={problem} />)}
        {found.length > 0 && (
          <LineChart
            label={t('influenceTitle', { step: step + 1 })}
            lines={found.map(({ cell, value }) => lineOf(cell, value.norms))}
            xLabel={t('inputStep')}
            yLabel={t('derivativeNorm')}
            height={240}
            log
          />
        )}
      </Panel>
      {problem.attention && <AlignmentPanel problem={problem} />}
      {found.length > 0 && (
        <Panel title={t('attributionTitle')} hint={t('attributionHint')} id="attribution" wide>
          <LineChart
            label={t('attributionTitle')}
            lines={[...found.map(({ cell, value }) => lineOf(cell, value.attribution)), zero(problem.steps)]}
            xLabel={t('inputStep')}
            yLabel={t('contribution')}
            height={200}
          />
        </Panel>
      )}
    </>
  );
}

const stepsOf = (values: ArrayLike<number>): number[] => Array.from(values, (_, step) => step + 1);

function lineOf(cell: CellKind, y: Float32Array): Line {
  return { name: cellName(cell), color: cellColors.value[cell], x: stepsOf(y), y };
}
const zero = (steps: number): Line => ({
  name: '0',
  color: ink.value.faint,
  x: [1, steps],
  y: [0, 0],
  dash: [2, 4],
  width: 1,
});

interface InfluenceProps {
  cell: CellKind;
  value: InfluenceValues;
  problem: ProblemInfo;
}

/** The tokens of the example. The more the output depends on a token, the stronger is its colour. */
function Influence({ cell, value, problem }: InfluenceProps) {
  const { norms, step } = value;
  const most = norms.reduce((max, value) => Math.max(max, value), 1e-12);
  const texts = inputTexts(problem, store.example.value);
  return (
    <div class="hits" data-cell={cell}>
      <b style={{ color: cellColors.value[cell] }}>{cellName(cell)}</b>
      <div class="tokens">
        {texts.map((text, s) => (
          <span
            key={s}
            class="token shade"
            title={`${s + 1}: ${formatNumber(norms[s])}`}
            style={{
              '--shade': `${Math.round(85 * Math.sqrt(norms[s] / most))}%`,
              '--cell': cellColors.value[cell],
            }}
            data-target={s === step}
          >
            {text || '∅'}
          </span>
        ))}
      </div>
    </div>
  );
}
