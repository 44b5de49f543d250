/** Predicted against actual numbers, one point per example. */
import { type Line, LineChart } from '../charts/line-chart.js';
import { cellColors, ink } from '../charts/palette.js';
import { short } from '../charts/short.js';
import { t } from '../i18n/index.js';
import * as store from '../state/store.js';
import { cellName } from '../ui/lanes.js';
import { Panel, Waiting } from '../ui/panel.js';

export function NumberPredictions() {
  const problem = store.problem.value!;
  const cells = store.settings.value.cells.filter((cell) => store.seen.value[cell]?.values.predictions);
  if (cells.length === 0) return <Waiting />;
  const actual = problem.y;
  const order = Array.from(actual, (_, n) => n).sort((a, b) => actual[a] - actual[b]);
  const x = order.map((n) => actual[n]);
  const ends = [x[0], x[x.length - 1]];
  const lines: Line[] = [
    { name: t('perfect'), color: ink.value.faint, x: ends, y: ends, dash: [2, 4] },
    ...cells.map((cell) => {
      const { outputs } = store.seen.value[cell]!.values.predictions!;
      return {
        name: cellName(cell),
        color: cellColors.value[cell],
        x,
        y: order.map((n) => outputs[n]),
        points: true,
      };
    }),
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
        {cells
          .map(
            (cell) =>
              `${cellName(cell)}: ${t('heldOutLoss')} ${short(store.seen.value[cell]!.values.predictions!.loss)}`,
          )
          .join(' · ')}
      </p>
    </Panel>
  );
}
