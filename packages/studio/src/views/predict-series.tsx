/** One-step forecasts of the held-out end of a series, with 90 % intervals and residuals. */

import { formatNumber } from '../charts/format-number.js';
import { type Line, LineChart } from '../charts/line-chart.js';
import { cellColors, ink } from '../charts/palette.js';
import type { ProblemInfo } from '../engine/protocol.js';
import { t } from '../i18n/index.js';
import type { CellKind } from '../state/settings.js';
import * as store from '../state/store.js';
import { cellName } from '../ui/lanes.js';
import { Panel, Waiting } from '../ui/panel.js';
import { type ForecastErrors, forecastErrors } from './intervals.js';

interface CellForecast {
  cell: CellKind;
  values: number[];
  errors: ForecastErrors;
}

export function SeriesPredictions({ problem: { series } }: { problem: ProblemInfo }) {
  const found = store.latestValues('predictions');
  if (!series || found.length === 0) return <Waiting />;
  const forecasts = found.map(({ cell, value: { outputs } }): CellForecast => {
    const values = Array.from(outputs, (value) => value * series.scale + series.mean);
    const actuals = Array.from(series.values.subarray(series.testStart, series.testStart + values.length));
    return { cell, values, errors: forecastErrors(actuals, values) };
  });
  const count = forecasts[0].values.length;
  const x = Array.from({ length: count }, (_, n) => series.testStart + n);
  const actual = Array.from(series.values.subarray(series.testStart, series.testStart + count));
  const { preset } = store.settings.value;
  // A column of a file keeps its name. The names of the page's own series are in the language of the page.
  const name = preset === 'csv' ? series.name : t(`preset_${preset}`);
  return (
    <>
      <Panel title={t('forecastTitle', { name })} hint={t('forecastHint')} id="forecast" wide>
        <LineChart
          label={t('forecastTitle', { name })}
          lines={[
            { name: t('actual'), color: ink.value.text, x, y: actual, width: 2 },
            ...forecasts.flatMap((cellForecast) => linesOf(cellForecast, x)),
          ]}
          xLabel={t('timeStep')}
          yLabel={name}
          height={300}
        />
        <ErrorTable forecasts={forecasts} />
      </Panel>
      <Panel title={t('residuals')} id="residuals" wide>
        <LineChart
          label={t('residuals')}
          lines={forecasts.map(({ cell, values }) => ({
            ...{ name: cellName(cell), color: cellColors.value[cell], x, points: true },
            y: values.map((value, n) => actual[n] - value),
          }))}
          xLabel={t('timeStep')}
          yLabel={t('residuals')}
          height={160}
        />
      </Panel>
    </>
  );
}

/** Returns the line of the forecast and, for the selected cell, the lines of its interval. */
function linesOf({ cell, values, errors }: CellForecast, x: number[]): Line[] {
  const color = cellColors.value[cell];
  const line = { name: cellName(cell), color, x, y: values };
  if (cell !== store.cell.value) return [line];
  const ends = [-errors.halfWidth, errors.halfWidth].map((shift) => ({
    ...{ name: `${cellName(cell)} ${shift < 0 ? '5 %' : '95 %'}`, color, x, dash: [3, 3], width: 0.75 },
    y: values.map((value) => value + shift),
  }));
  return [line, ...ends];
}

function ErrorTable({ forecasts }: { forecasts: readonly CellForecast[] }) {
  return (
    <div class="scroll">
      <table>
        <thead>
          <tr>
            {[t('cell'), 'MAE', 'RMSE', t('interval90'), t('coverage')].map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {forecasts.map(({ cell, errors }) => (
            <tr key={cell}>
              <th scope="row">{cellName(cell)}</th>
              <td>{formatNumber(errors.mae)}</td>
              <td>{formatNumber(errors.rmse)}</td>
              <td>{`±${formatNumber(errors.halfWidth)}`}</td>
              <td>{`${Math.round(100 * errors.coverage)} %`}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
