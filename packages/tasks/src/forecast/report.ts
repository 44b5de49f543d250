/** Creates the HTML report of a forecast: charts, leaderboard, backtest, forecast values and settings. */

import {
  type ChartBand,
  type ChartData,
  chart,
  escapeHtml,
  legendSample,
  smallChart,
} from '../shared/report/chart.js';
import { multiples } from '../shared/report/multiples.js';
import { baseName, factList, page, section, table } from '../shared/report/page.js';
import { scoreTexts } from '../shared/scores.js';
import { actualAt, levelName } from './backtest.js';
import { PER_SERIES } from './combination.js';
import type { ForecastOptions, ForecastResult } from './forecast.js';
import { panelEnd, timeAt } from './panel.js';
import { additionalInputs, scoreTable, seasonText, windowText } from './run-events.js';

/** What the report shows in addition to the result of the run. */
export interface ReportInfo {
  /** Description of the backend. */
  backend: string;
  /** Duration of the run. */
  seconds: number;
  options: ForecastOptions;
}

/** If there are more series than this, their charts are small, in columns, with a search box. */
const MAX_LARGE = 4;
/**
 * The report shows the charts of at most MAX_CHARTS series, and the forecast values of at most MAX_TABLES series. forecast.csv
 * contains all series.
 */
const MAX_CHARTS = 500;
const MAX_TABLES = 12;

/** Returns the report as an HTML document. */
export function forecastReport(result: ForecastResult, info: ReportInfo): string {
  const { panel, plan, winner } = result;
  const title = `${panel.target}: forecast of the next ${plan.horizon} ${plan.horizon === 1 ? 'row' : 'rows'}`;
  const sections = [
    section('Forecast', forecastCharts(result)),
    section('Leaderboard', leaderboardTable(result) + stepChart(result)),
    section('Backtest', backtestChart(result, info.options)),
    section('Forecast values', forecastTable(result)),
    section('Settings', factList(settingsOf(result, info))),
  ];
  const reason =
    winner === PER_SERIES
      ? 'which forecasts each series with the model that has the lowest error on the held-out rows of this series'
      : `the model with the lowest MASE of the ${result.leaderboard.length} models in the backtest`;
  const best = `Forecast by <b>${escapeHtml(winner)}</b>, ${reason}.`;
  const lead = `<p>${escapeHtml(summary(result))}</p>\n<p class="quiet">${best}</p>`;
  return page({ title, lead, sections });
}

function summary({ panel, frequency, plan }: ForecastResult): string {
  const first = Math.min(...panel.series.map(({ offset }) => offset));
  const seriesText = panel.idColumn === null ? '' : ` of ${panel.series.length} series`;
  const rows = panel.series.reduce((sum, { values }) => sum + values.length, 0);
  const season = plan.season === 1 ? 'no season' : `season length ${plan.season}`;
  const span = `${timeAt(panel, first)} to ${timeAt(panel, panelEnd(panel) - 1)}`;
  return `${rows} rows${seriesText} from ${baseName(panel.source)}, ${span}; ${frequency}, ${season}.`;
}

/** Returns a legend as HTML. `kind` is the CSS class of a line or band. */
function legend(entries: readonly [kind: string, text: string][]): string {
  const items = entries.map(([kind, text]) => `<span>${legendSample(kind)}${escapeHtml(text)}</span>`);
  return `<p class="legend">${items.join('')}</p>`;
}

/** Returns the CSS class of an interval, given the index of its level: `band1` is the widest. */
const bandKind = (levelIndex: number, levelCount: number): string => `band${levelCount - levelIndex}`;

/** Returns the intervals as chart bands, the widest first. */
function bandsOf(
  { lower, upper }: { lower: Float64Array[]; upper: Float64Array[] },
  from: number,
): ChartBand[] {
  return lower
    .map((low, l) => ({ kind: bandKind(l, lower.length), from, lower: low, upper: upper[l] }))
    .toReversed();
}

function forecastCharts(result: ForecastResult): string {
  const { panel, levels, forecasts, winner } = result;
  const key = legend([
    ['actual', panel.target],
    ['forecast', winner],
    ...levels.map((level, l): [string, string] => [
      bandKind(l, levels.length),
      `${levelName(level)}% interval`,
    ]),
  ]);
  const charted = forecasts.slice(0, MAX_CHARTS);
  const hiddenCount = forecasts.length - charted.length;
  const note =
    hiddenCount > 0 ? `<p class="quiet">forecast.csv contains ${hiddenCount} more series.</p>` : '';
  if (charted.length <= MAX_LARGE) return key + charted.map((_, s) => seriesChart(result, s)).join('') + note;
  const charts = charted.map(({ id }, s) => ({
    name: id,
    chart: smallChart(seriesChartData(result, s, 0.5)),
  }));
  return key + multiples(charts, 'series') + note;
}

function seriesChart(result: ForecastResult, s: number): string {
  const svg = chart(seriesChartData(result, s));
  const { id } = result.panel.series[s];
  return id === '' ? svg : `<h3>${escapeHtml(id)}</h3>${svg}`;
}

/**
 * Returns the chart of one series: its last rows and the forecast.
 * @param share which share of the usual number of rows to show. Default 1
 */
export function seriesChartData({ panel, plan, forecasts }: ForecastResult, s: number, share = 1): ChartData {
  const [series, forecast] = [panel.series[s], forecasts[s]];
  const usual = Math.min(Math.max(6 * plan.season, 5 * plan.horizon, 36), 600);
  const rows = Math.min(series.values.length, Math.round(share * usual));
  const start = series.offset + series.values.length - rows;
  const fromLastValue = Float64Array.of(series.values[series.values.length - 1], ...forecast.median);
  return {
    title: `${panel.target}${series.id === '' ? '' : ` of ${series.id}`}: the last ${rows} rows and the forecast`,
    lines: [
      { kind: 'actual', from: 0, values: series.values.slice(-rows) },
      { kind: 'forecast', from: rows - 1, values: fromLastValue, dots: plan.horizon <= 48 && share === 1 },
    ],
    bands: bandsOf(forecast, rows),
    label: (row) => timeAt(panel, start + row),
    dividers: [rows - 0.5],
  };
}

function leaderboardTable({ leaderboard }: ForecastResult): string {
  const [head, ...rows] = scoreTexts(scoreTable(leaderboard));
  return (
    table(head, rows, { best: true }) +
    '<p class="quiet">Models are ranked by MASE. MASE (mean absolute scaled error): MAE divided by the MAE of the ' +
    'seasonal naive forecast on the training rows; values below 1 beat that baseline. sMAPE: symmetric mean absolute ' +
    'percentage error. RMSE and MAE are in the unit of the target. WQL: weighted quantile loss of the median and the ' +
    'interval bounds, relative to the mean absolute actual value. Coverage 80%: the share of actual values inside the ' +
    '80% interval; if the intervals are well calibrated, coverage is close to their level. Lower is better for every column except coverage.</p>'
  );
}

/** Returns a chart of the mean absolute error of each model by horizon step. */
function stepChart(result: ForecastResult): string {
  const { panel, plan, origins, backtest, winner } = result;
  if (plan.horizon < 2) return '';
  const actuals = origins.map((origin) => actualAt(panel, origin, plan.horizon));
  const others = backtest.filter(({ model }) => model !== winner).map(({ model }) => model);
  const kindOf = (model: string) =>
    model === winner ? 'forecast' : `other dash${others.indexOf(model) % 8}`;
  const lines = backtest.map(({ model, forecasts }) => ({
    kind: kindOf(model),
    from: 0,
    dots: model === winner,
    values: Float64Array.from({ length: plan.horizon }, (_, k) => {
      const errors = actuals.map((actual, n) => Math.abs(actual[k] - forecasts[n].median[k]));
      const defined = errors.filter((error) => !Number.isNaN(error));
      return defined.reduce((sum, error) => sum + error, 0) / defined.length;
    }),
  }));
  const title = 'Mean absolute error by horizon step';
  const key = legend([winner, ...others].map((model) => [kindOf(model), model]));
  const label = (row: number) => `step ${row + 1}`;
  return `<h3>${title}</h3>${key}${chart({ title, lines, bands: [], label, dividers: [], fromZero: true })}`;
}

/** Returns a chart of the first series in the backtest: actual values and the winner's forecasts, without overlapping forecasts. */
function backtestChart(
  { panel, plan, origins, backtest, winner, levels }: ForecastResult,
  { refit }: ForecastOptions,
): string {
  const { forecasts } = backtest.find(({ model }) => model === winner)!;
  const firstSeries = origins.flatMap(({ series, origin }, n) =>
    series === origins[0].series ? [{ n, origin }] : [],
  );
  const candidates = firstSeries.filter(
    ({ origin }, i) => i === 0 || origin >= firstSeries[i - 1].origin + plan.horizon || plan.horizon === 1,
  );
  const charted = candidates.filter(({ origin }, i) =>
    candidates.slice(0, i).every((other) => Math.abs(origin - other.origin) >= plan.horizon),
  );
  const series = panel.series[origins[0].series];
  const rowsBefore = Math.min(charted[0].origin - series.offset, Math.max(2 * plan.season, 2 * plan.horizon));
  const start = charted[0].origin - rowsBefore;
  const name = series.id === '' ? panel.target : `${panel.target} of ${series.id}`;
  const training = refit
    ? 'Models were retrained before every origin.'
    : `Models were trained on the rows before ${escapeHtml(timeAt(panel, plan.cut))}.`;
  const note =
    `<p>The backtest made ${origins.length === 1 ? '1 forecast' : `${origins.length} forecasts`} of ${plan.horizon} ` +
    `${plan.horizon === 1 ? 'row' : 'rows'}, each using only the rows before its origin. ${training} ` +
    `The chart shows ${escapeHtml(name)}; backtest.csv contains all ` +
    'forecasts.</p>';
  const key = legend([
    ['actual', 'actual'],
    ['forecast', `${winner} forecast`],
    ...levels
      .slice(-1)
      .map((level): [string, string] => [
        bandKind(levels.length - 1, levels.length),
        `${levelName(level)}% interval`,
      ]),
  ]);
  const svg = chart({
    title: `Backtest of ${name}: actual values and forecasts by ${winner}`,
    lines: [
      { kind: 'actual', from: 0, values: series.values.slice(start - series.offset) },
      ...charted.map(({ n, origin }) => ({
        kind: 'forecast',
        from: origin - start,
        values: forecasts[n].median,
        dots: plan.horizon === 1,
      })),
    ],
    bands: charted.flatMap(({ n, origin }) => bandsOf(forecasts[n], origin - start).slice(0, 1)),
    label: (row) => timeAt(panel, start + row),
    dividers: plan.horizon === 1 ? [] : charted.map(({ origin }) => origin - start - 0.5),
  });
  return note + key + svg;
}

function forecastTable({ panel, forecasts, levels }: ForecastResult): string {
  const hasIds = panel.idColumn !== null;
  const bounds = levels.map((level) => `${levelName(level)}% interval`);
  const head = [...(panel.idColumn === null ? [] : [panel.idColumn]), panel.time.name, 'median', ...bounds];
  const listed = forecasts.slice(0, MAX_TABLES);
  const format = numberFormat(listed.flatMap(({ median }) => Array.from(median)));
  const rows = listed.flatMap((forecast) =>
    forecast.time.map((time, k) => [
      ...(hasIds ? [forecast.id] : []),
      time,
      format(forecast.median[k]),
      ...levels.map((_, l) => `${format(forecast.lower[l][k])} to ${format(forecast.upper[l][k])}`),
    ]),
  );
  const html = table(head, rows);
  const note =
    listed.length < forecasts.length
      ? `<p class="quiet">The first ${listed.length} of ${forecasts.length} series; forecast.csv contains all.</p>`
      : '';
  return (
    note + (rows.length <= 24 ? html : `<details><summary>${rows.length} rows</summary>${html}</details>`)
  );
}

/** Returns a function that formats numbers with the same number of decimals: four significant digits of the largest value. */
function numberFormat(values: readonly number[]): (value: number) => string {
  const largest = values.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
  const decimals = largest === 0 ? 0 : Math.max(0, 3 - Math.floor(Math.log10(largest)));
  return (value) => (decimals > 8 ? value.toPrecision(4) : value.toFixed(decimals));
}

/** Returns the settings of the run for the report. */
function settingsOf(
  { panel, plan, networks, notes, winner, model }: ForecastResult,
  info: ReportInfo,
): [name: string, text: string][] {
  const { options } = info;
  const network =
    networks === null
      ? `none (${winner} is a baseline)`
      : `${model.pipeline.combination?.network ?? winner}: the mean of ${networks.length} networks with ` +
        `${networks.map((network) => network.model.countParams()).join(' and ')} parameters, trained for ` +
        `${networks.map(({ epochs }) => epochs).join(' and ')} epochs`;
  return [
    ['Season length', seasonText(plan)],
    ['Scale', scaleText(plan, options)],
    ['Window', windowText(plan)],
    ['Network', network],
    ['Seed', String(options.seed ?? 0)],
    ['Intervals', 'calibrated with past errors at each horizon step (conformal prediction)'],
    ['Backend', info.backend],
    ['Duration', `${info.seconds.toFixed(1)} s`],
    ...additionalInputs(panel, plan).map((name): [string, string] => ['Additional input', name]),
    ...notes.map((note): [string, string] => ['Note', note]),
  ];
}

function scaleText({ log, scaler }: ForecastResult['plan'], options: ForecastOptions): string {
  if (log && options.scaler === 'log') return 'log-transformed';
  if (log)
    return 'log-transformed, because the variation grows with the level or the held-out error with logarithms is lower';
  return scaler === 'changes' ? 'unchanged' : `scaler ${scaler}`;
}
