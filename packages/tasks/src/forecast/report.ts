/** The report of a forecast: charts, the test, the numbers, and how they were made. */
import { scoreTexts } from '../shared/scores.js';
import { type ChartBand, chart, escapeHtml, sample } from '../shared/report/chart.js';
import { baseName, facts as factsList, page, section, table } from '../shared/report/page.js';
import { actualAt, levelName } from './backtest.js';
import type { ForecastOptions, ForecastResult } from './forecast.js';
import { panelEnd, timeAt } from './panel.js';
import { besideTarget, scoreTable } from './run-events.js';

export interface ReportFacts {
  backend: string;
  /** How long the run took. */
  seconds: number;
  options: ForecastOptions;
}

/** More series than this are not drawn; all are in forecast.csv. */
const MOST_CHARTS = 12;

/** The whole document. */
export function forecastReport(result: ForecastResult, facts: ReportFacts): string {
  const { panel, plan, winner } = result;
  const title = `${panel.target}: the next ${plan.horizon} ${plan.horizon === 1 ? 'row' : 'rows'}`;
  const sections = [
    section('Forecast', forecastCharts(result)),
    section('Which model, and why', leaderboardTable(result) + stepChart(result)),
    section('The test', backtestChart(result)),
    section('The numbers', forecastTable(result)),
    section('How it was made', factsList(factsOf(result, facts))),
  ];
  const best = `Forecast by <b>${escapeHtml(winner)}</b>, the best of ${result.leaderboard.length} models in the test.`;
  const lead = `<p>${escapeHtml(summary(result))}</p>\n<p class="quiet">${best}</p>`;
  return page({ title, lead, sections });
}

function summary({ panel, frequency, plan }: ForecastResult): string {
  const first = Math.min(...panel.series.map(({ offset }) => offset));
  const many = panel.idColumn === null ? '' : ` of ${panel.series.length} series`;
  const rows = panel.series.reduce((sum, { values }) => sum + values.length, 0);
  const season = plan.season === 1 ? 'no season' : `a season of ${plan.season} rows`;
  const span = `${timeAt(panel, first)} to ${timeAt(panel, panelEnd(panel) - 1)}`;
  return `${rows} rows${many} from ${baseName(panel.source)}, ${span}: ${frequency}, ${season}.`;
}

function legend(entries: readonly [kind: string, text: string][]): string {
  const items = entries.map(([kind, text]) => `<span>${sample(kind)}${escapeHtml(text)}</span>`);
  return `<p class="legend">${items.join('')}</p>`;
}

const bandKind = (l: number, levels: number): string => `band${levels - l}`;

/** Bands of an array of intervals, the widest first. */
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
      `${levelName(level)} % interval`,
    ]),
  ]);
  const shown = forecasts.slice(0, MOST_CHARTS).map((_, s) => seriesChart(result, s));
  const rest = forecasts.length - shown.length;
  const note = rest > 0 ? `<p class="quiet">${rest} more series are in forecast.csv.</p>` : '';
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
    '<p class="quiet">MASE: the mean error in units of what “same as one season before” missed in training; below 1 is ' +
    'better than that. RMSE and MAE are in the unit of the target. WQL: error of the whole distribution. The last ' +
    'columns: how much of what came lay inside the intervals, which were formed from errors seen before.</p>'
  );
}

/** Mean absolute error for each row ahead. */
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
  const title = 'Mean absolute error by rows ahead';
  const key = legend([winner, ...others].map((model) => [kindOf(model), model]));
  const label = (row: number) => `${row + 1} ahead`;
  return `<h3>${title}</h3>${key}${chart({ title, lines, bands: [], label, dividers: [], fromZero: true })}`;
}

/** What came and what the winner said, over the backtest of the first series. */
function backtestChart({ panel, plan, origins, backtest, winner, levels }: ForecastResult): string {
  const { forecasts } = backtest.find(({ model }) => model === winner)!;
  const own = origins.flatMap(({ series, origin }, n) =>
    series === origins[0].series ? [{ n, origin }] : [],
  );
  const places = own.filter(
    ({ origin }, i) => i === 0 || origin >= own[i - 1].origin + plan.horizon || plan.horizon === 1,
  );
  const apart = places.filter(({ origin }, i) =>
    places.slice(0, i).every((other) => Math.abs(origin - other.origin) >= plan.horizon),
  );
  const series = panel.series[origins[0].series];
  const before = Math.min(apart[0].origin - series.offset, Math.max(2 * plan.season, 2 * plan.horizon));
  const start = apart[0].origin - before;
  const name = series.id === '' ? panel.target : `${panel.target} of ${series.id}`;
  const note =
    `<p>${origins.length} forecasts of ${plan.horizon} ${plan.horizon === 1 ? 'row' : 'rows'}, each from the rows before ` +
    `it alone; models were trained on the rows before ${escapeHtml(timeAt(panel, plan.cut))}. ` +
    `${escapeHtml(name)} is drawn; all are in backtest.csv.</p>`;
  const key = legend([
    ['actual', 'what came'],
    ['forecast', `${winner} at the time`],
    [bandKind(levels.length - 1, levels.length), `${levelName(levels.at(-1) ?? 0.95)} % interval`],
  ]);
  const drawing = chart({
    title: `${name} over the test, and what ${winner} forecast`,
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
  const bounds = levels.map((level) => `${levelName(level)} % interval`);
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

/** Shows all numbers of a table with the same decimals: about four digits of the largest. */
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
      ? `${winner} needs no training`
      : `the mean of ${networks.length} networks of ${networks[0].model.countParams()} parameters or more, trained for ` +
        `${networks.map(({ epochs }) => epochs).join(' and ')} passes`;
  return [
    ['Season', plan.season === 1 ? 'none found' : `${plan.season} rows`],
    ['Scale', plan.log ? 'logarithms, since the variation grows with the level' : 'as it is'],
    ['Window', `${plan.window} rows, as changes ${plan.lag === 1 ? 'from the last row' : 'over one season'}`],
    ['Network', network],
    ['Seed', String(options.seed ?? 0)],
    ['Intervals', 'widened by the errors that were seen at each row ahead (conformal prediction)'],
    ['Computed by', `${facts.backend}, in ${facts.seconds.toFixed(1)} s`],
    ...besideTarget(panel, plan).map((what): [string, string] => ['Beside the target', what]),
    ...notes.map((note): [string, string] => ['Note', note]),
  ];
}
