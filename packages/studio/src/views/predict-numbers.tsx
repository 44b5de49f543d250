/** Predicted against actual numbers, one point per example. */

import { formatNumber } from '../charts/format-number.js';
import { type Line, LineChart } from '../charts/line-chart.js';
import { cellColors, ink } from '../charts/palette.js';
import type { ProblemInfo } from '../engine/protocol.js';
import { t } from '../i18n/index.js';
import * as store from '../state/store.js';
import { cellName } from '../ui/lanes.js';
import { Panel, Waiting } from '../ui/panel.js';

export function NumberPredictions({ problem }: { problem: ProblemInfo }) {
  const found = store.latestValues('predictions');
  if (found.length === 0) return <Waiting />;
  const actual = problem.y;
  const order = Array.from(actual, (_, n) => n).sort((a, b) => actual[a] - actual[b]);
  const x = order.map((n) => actual[n]);
  const ends = [x[0], x[x.length - 1]];
  const lines: Line[] = [
    { name: t('perfect'), color: ink.value.faint, x: ends, y: ends, dash: [2, 4] },
    ...found.map(({ cell, value: { outputs } }) => ({
      ...{ name: cellName(cell), color: cellColors.value[cell], points: true, x },
      y: order.map((n) => outputs[n]),
    })),
  ];
  return (
    <Panel title={t('predictedActual')} hint={t('predictedActualHint')} id="scatter" wide>
      <LineChart
        label={t('predictedActual')}
        lines={lines}
        xLabel={t('actual')}
        yLabel={t('predicted')}
        height={320}
      />
      <p class="readout">
        {found
          .map(({ cell, value: { loss } }) => `${cellName(cell)}: ${t('heldOutLoss')} ${formatNumber(loss)}`)
          .join(' · ')}
      </p>
    </Panel>
  );
}
