/** The HTML report of a forecast: charts, leaderboard, backtest, forecast values and settings. */

import { type ChartBand, chart, escapeHtml, sample } from '../shared/report/chart.js';
import { baseName, facts as factsList, page, section, table } from '../shared/report/page.js';
import { scoreTexts } from '../shared/scores.js';
import { actualAt, levelName } from './backtest.js';
import type { ForecastOptions, ForecastResult } from './forecast.js';
import { panelEnd, timeAt } from './panel.js';
import { otherInputs, scoreTable } from './run-events.js';

export interface ReportFacts {
  backend: string;
  /** Duration of the run. */
  seconds: number;
  options: ForecastOptions;
}

/** The report draws at most this many series; forecast.csv holds all of them. */
const MOST_CHARTS = 12;

/** The whole document. */
export function forecastReport(result: ForecastResult, facts: ReportFacts): string {
  const { panel, plan, winner } = result;
  const title = `${panel.target}: forecast of the next ${plan.horizon} ${plan.horizon === 1 ? 'row' : 'rows'}`;
  const sections = [
    section('Forecast', forecastCharts(result)),
    section('Leaderboard', leaderboardTable(result) + stepChart(result)),
    section('Backtest', backtestChart(result)),
    section('Forecast values', forecastTable(result)),
    section('Settings', factsList(factsOf(result, facts))),
  ];
  const best = `Forecast by <b>${escapeHtml(winner)}</b>, the model with the lowest MASE of the ${result.leaderboard.length} models in the backtest.`;
  const lead = `<p>${escapeHtml(summary(result))}</p>\n<p class="quiet">${best}</p>`;
  return page({ title, lead, sections });
}

function summary({ panel, frequency, plan }: ForecastResult): string {
  const first = Math.min(...panel.series.map(({ offset }) => offset));
  const many = panel.idColumn === null ? '' : ` of ${panel.series.length} series`;
  const rows = panel.series.reduce((sum, { values }) => sum + values.length, 0);
  const season = plan.season === 1 ? 'no season' : `season length ${plan.season}`;
  const span = `${timeAt(panel, first)} to ${timeAt(panel, panelEnd(panel) - 1)}`;
  return `${rows} rows${many} from ${baseName(panel.source)}, ${span}; ${frequency}, ${season}.`;
}

function legend(entries: readonly [kind: string, text: string][]): string {
  const items = entries.map(([kind, text]) => `<span>${sample(kind)}${escapeHtml(text)}</span>`);
  return `<p class="legend">${items.join('')}</p>`;
}

const bandKind = (l: number, levels: number): string => `band${levels - l}`;

/** Chart bands of the intervals, widest first. */
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
  const shown = forecasts.slice(0, MOST_CHARTS).map((_, s) => seriesChart(result, s));
  const rest = forecasts.length - shown.length;
  const note = rest > 0 ? `<p class="quiet">forecast.csv contains ${rest} more series.</p>` : '';
  return key + shown.join('') + note;
}

function seriesChart({ panel, plan, forecasts }: ForecastResult, s: number): string {
  const [series, forecast] = [panel.series[s], forecasts[s]];
  const rows = Math.min(series.values.length, Math.max(6 * plan.season, 5 * plan.horizon, 36), 600);
  const start = series.offset + series.values.length - rows;
  const joined = Float64Array.of(series.values[series.values.length - 1], ...forecast.median);
  const drawing = chart({
    title: `${panel.target}${series.id === '' ? '' : ` of ${series.id}`}: the last ${rows} rows and the forecast`,
    lines: [
      { kind: 'actual', from: 0, values: series.values.slice(-rows) },
      { kind: 'forecast', from: rows - 1, values: joined, dots: plan.horizon <= 48 },
    ],
    bands: bandsOf(forecast, rows),
    label: (row) => timeAt(panel, start + row),
    dividers: [rows - 0.5],
  });
  return series.id === '' ? drawing : `<h3>${escapeHtml(series.id)}</h3>${drawing}`;
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

/** Mean absolute error of each model by horizon step. */
function stepChart(result: ForecastResult): string {
  const { panel, plan, origins, backtest, winner } = result;
  if (plan.horizon < 2) return '';
  const actuals = origins.map((origin) => actualAt(panel, origin, plan.horizon));
  const others = backtest.filter(({ model }) => model !== winner).map(({ model }) => model);
  const kindOf = (model: string) =>
    model === winner ? 'forecast' : `other dash${others.indexOf(model) % 4}`;
  const lines = backtest.map(({ model, forecasts }) => ({
    kind: kindOf(model),
    from: 0,
    dots: model === winner,
    values: Float64Array.from({ length: plan.horizon }, (_, k) => {
      const errors = actuals.map((actual, n) => Math.abs(actual[k] - forecasts[n].median[k]));
      const known = errors.filter((error) => !Number.isNaN(error));
      return known.reduce((sum, error) => sum + error, 0) / known.length;
    }),
  }));
  const title = 'Mean absolute error by horizon step';
  const key = legend([winner, ...others].map((model) => [kindOf(model), model]));
  const label = (row: number) => `step ${row + 1}`;
  return `<h3>${title}</h3>${key}${chart({ title, lines, bands: [], label, dividers: [], fromZero: true })}`;
}

/** Actual values and the winner's forecasts over the backtest of the first series. */
function backtestChart({ panel, plan, origins, backtest, winner, levels }: ForecastResult): string {
  const { forecasts } = backtest.find(({ model }) => model === winner)!;
  const own = origins.flatMap(({ series, origin }, n) =>
    series === origins[0].series ? [{ n, origin }] : [],
  );
  const separate = own.filter(
    ({ origin }, i) => i === 0 || origin >= own[i - 1].origin + plan.horizon || plan.horizon === 1,
  );
  const apart = separate.filter(({ origin }, i) =>
    separate.slice(0, i).every((other) => Math.abs(origin - other.origin) >= plan.horizon),
  );
  const series = panel.series[origins[0].series];
  const before = Math.min(apart[0].origin - series.offset, Math.max(2 * plan.season, 2 * plan.horizon));
  const start = apart[0].origin - before;
  const name = series.id === '' ? panel.target : `${panel.target} of ${series.id}`;
  const note =
    `<p>The backtest made ${origins.length === 1 ? '1 forecast' : `${origins.length} forecasts`} of ${plan.horizon} ` +
    `${plan.horizon === 1 ? 'row' : 'rows'}, each from the rows before its origin only. Models were trained on the rows ` +
    `before ${escapeHtml(timeAt(panel, plan.cut))}. The chart shows ${escapeHtml(name)}; backtest.csv contains all ` +
    'forecasts.</p>';
  const key = legend([
    ['actual', 'actual'],
    ['forecast', `${winner} forecast`],
    [bandKind(levels.length - 1, levels.length), `${levelName(levels.at(-1) ?? 0.95)}% interval`],
  ]);
  const drawing = chart({
    title: `Backtest of ${name}: actual values and forecasts by ${winner}`,
    lines: [
      { kind: 'actual', from: 0, values: series.values.slice(start - series.offset) },
      ...apart.map(({ n, origin }) => ({
        kind: 'forecast',
        from: origin - start,
        values: forecasts[n].median,
        dots: plan.horizon === 1,
      })),
    ],
    bands: apart.flatMap(({ n, origin }) => bandsOf(forecasts[n], origin - start).slice(0, 1)),
    label: (row) => timeAt(panel, start + row),
    dividers: plan.horizon === 1 ? [] : apart.map(({ origin }) => origin - start - 0.5),
  });
  return note + key + drawing;
}

function forecastTable({ panel, forecasts, levels }: ForecastResult): string {
  const many = panel.idColumn !== null;
  const bounds = levels.map((level) => `${levelName(level)}% interval`);
  const head = [...(panel.idColumn === null ? [] : [panel.idColumn]), panel.time.name, 'median', ...bounds];
  const drawn = forecasts.slice(0, MOST_CHARTS);
  const show = evenNumbers(drawn.flatMap(({ median }) => Array.from(median)));
  const rows = drawn.flatMap((forecast) =>
    forecast.time.map((time, k) => [
      ...(many ? [forecast.id] : []),
      time,
      show(forecast.median[k]),
      ...levels.map((_, l) => `${show(forecast.lower[l][k])} to ${show(forecast.upper[l][k])}`),
    ]),
  );
  const all = table(head, rows);
  return rows.length <= 24 ? all : `<details><summary>${rows.length} rows</summary>${all}</details>`;
}

/** Formats all numbers of a table with the same decimals: about four significant digits of the largest. */
function evenNumbers(values: readonly number[]): (value: number) => string {
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const decimals = largest === 0 ? 0 : Math.max(0, 3 - Math.floor(Math.log10(largest)));
  return (value) => (decimals > 8 ? value.toPrecision(4) : value.toFixed(decimals));
}

function factsOf(
  { panel, plan, networks, notes, winner }: ForecastResult,
  facts: ReportFacts,
): [name: string, text: string][] {
  const { options } = facts;
  const network =
    networks === null
      ? `none (${winner} is a baseline without training)`
      : `${winner}: the mean of ${networks.length} networks with ` +
        `${networks.map(({ model }) => model.countParams()).join(' and ')} parameters, trained for ` +
        `${networks.map(({ epochs }) => epochs).join(' and ')} epochs`;
  return [
    ['Season length', plan.season === 1 ? 'no season' : `${plan.season} rows`],
    ['Scale', scaleText(plan)],
    ['Window', windowText(plan)],
    ['Network', network],
    ['Seed', String(options.seed ?? 0)],
    ['Intervals', 'calibrated with past errors at each horizon step (conformal prediction)'],
    ['Backend', facts.backend],
    ['Duration', `${facts.seconds.toFixed(1)} s`],
    ...otherInputs(panel, plan).map((what): [string, string] => ['Additional input', what]),
    ...notes.map((note): [string, string] => ['Note', note]),
  ];
}

function scaleText({ log, scaler }: ForecastResult['plan']): string {
  if (log) return 'log-transformed, because the variation grows with the level';
  return scaler === 'changes' ? 'unchanged' : `scaler ${scaler}`;
}

function windowText({ window, lag, scaler }: ForecastResult['plan']): string {
  if (scaler !== 'changes') return `${window} rows`;
  return `${window} rows, ${lag === 1 ? 'relative to the last one' : 'as differences over one season'}`;
}
