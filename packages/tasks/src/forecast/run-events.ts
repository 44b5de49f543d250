/** Creates the plan, scores and result events of a forecast, and the leaderboard table. */
import type { Json } from '@unroll/core/internal';
import { finiteOrNull, type PlanEvent, type ResultEvent, type ScoresEvent } from '../shared/events.js';
import type { ScoreColumn, ScoreTable } from '../shared/scores.js';
import type { Score } from './backtest.js';
import { type Combination, ENSEMBLE, PER_SERIES, weightsText } from './combination.js';
import { backtestOrigins } from './origins.js';
import { type Panel, panelEnd, timeAt } from './panel.js';
import type { ForecastPlan } from './plan.js';
import { describeRepresentation } from './representation.js';

/** The panel read from a table, and the plan of the run. */
export interface PreparedForecast {
  panel: Panel;
  plan: ForecastPlan;
  /** The frequency as text, such as `monthly`. */
  frequency: string;
}

/** Returns the scaling as text for the plan; empty for the default scaling without logarithms. */
const scalingText = ({ log, scaler }: ForecastPlan): string =>
  log ? ', log-transformed' : scaler === 'changes' ? '' : `, ${SCALER_TEXTS[scaler]}`;
const SCALER_TEXTS = {
  counts: 'modelled as counts',
  standard: 'standardised by mean and standard deviation',
  robust: 'scaled by median and interquartile range',
  minmax: 'scaled by minimum and maximum',
  instance: 'standardised within each window',
};

/** Returns the season with the reason for it, such as `season length 12 (found in 56 % of the series, ...)`. */
export function seasonText({ season, seasons, seasonReason }: ForecastPlan): string {
  const others = seasons.filter((each) => each !== season);
  const rest = others.length === 0 ? '' : ` and ${others.join(', ')}`;
  const text = season === 1 ? 'no season' : `season length ${season}${rest}`;
  return seasonReason === '' ? text : `${text} (${seasonReason})`;
}

/** Returns the window and its representation for each network as text, with the reason for this choice. */
export function windowText({ window, scaler, representations, representationReason }: ForecastPlan): string {
  const rows = `window ${withCount(window, 'row')}`;
  if (scaler !== 'changes') return rows;
  const inputs = [...new Set(representations.map(describeRepresentation))].join(', and ');
  return `${rows}: ${inputs}${representationReason === '' ? '' : ` (${representationReason})`}`;
}

const withCount = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

/** Returns the inputs of the network other than the target, as text. */
export function additionalInputs({ covariates }: Panel, { calendar = [] }: ForecastPlan): string[] {
  const columns = covariates.map(({ name, role }) => `${name} (${role})`);
  return calendar.length === 0 ? columns : [...columns, `the calendar (${calendar.join(', ')})`];
}

/** Returns the event that describes the data and the plan. */
export function planEvent({ panel, plan, frequency }: PreparedForecast): PlanEvent {
  const first = Math.min(...panel.series.map(({ offset }) => offset));
  const rows = panel.series.reduce((sum, { values }) => sum + values.length, 0);
  const [from, to] = [timeAt(panel, first), timeAt(panel, panelEnd(panel) - 1)];
  return {
    event: 'plan',
    target: panel.target,
    time: panel.time.name,
    series: panel.series.length,
    rows,
    from,
    to,
    frequency,
    season: plan.season,
    log: plan.log,
    scaler: plan.scaler,
    window: plan.window,
    representations: plan.representations.map(({ lag, reference = 'last', hasUnsubtractedChannel }) => ({
      lag,
      reference,
      hasUnsubtractedChannel,
    })),
    horizon: plan.horizon,
    origins: plan.origins.map((origin) => timeAt(panel, origin)),
    covariates: panel.covariates.map(({ name, role }) => ({ name, role })),
    calendar: [...(plan.calendar ?? [])],
    notes: [...panel.notes],
    lines: planLines({ panel, plan, frequency }, { rows, from, to }),
  };
}

function planLines(
  { panel, plan, frequency }: PreparedForecast,
  { rows, from, to }: { rows: number; from: string; to: string },
): PlanEvent['lines'] {
  const seriesText = panel.idColumn === null ? '' : ` of ${panel.series.length} series ("${panel.idColumn}")`;
  const season = seasonText(plan);
  const backtestEnd = timeAt(panel, Math.max(...plan.origins) + plan.horizon - 1);
  const inputs = additionalInputs(panel, plan).join(', ');
  const forecasts = `${withCount(plan.origins.length, 'forecast')} of ${withCount(plan.horizon, 'row')}`;
  const unlabelled = (text: string) => ({ label: '', text });
  return [
    {
      label: 'data',
      text: `${rows} rows${seriesText} of "${panel.target}" by "${panel.time.name}", ${from} to ${to}`,
    },
    unlabelled(`${frequency}, ${season}${scalingText(plan)}`),
    unlabelled(windowText(plan)),
    ...(inputs === '' ? [] : [unlabelled(`additional inputs: ${inputs}`)]),
    ...panel.notes.map(unlabelled),
    {
      label: 'backtest',
      text: `${forecasts} from ${timeAt(panel, plan.cut)} to ${backtestEnd}${testedText(panel, plan)}`,
    },
    unlabelled(`training rows: ${from} to ${timeAt(panel, plan.cut - 1)}`),
  ];
}

/** Returns, as text, how many series of a panel the backtest tests; empty for a single series. */
function testedText(panel: Panel, plan: ForecastPlan): string {
  if (panel.idColumn === null) return '';
  const tested = new Set(backtestOrigins(panel, plan, false).map(({ series }) => series)).size;
  return `; ${tested} of ${panel.series.length} series tested`;
}

/** Converts a leaderboard to a table. */
export function scoreTable(leaderboard: readonly Score[]): ScoreTable {
  const levels = Object.keys(leaderboard[0]?.coverage ?? {});
  const columns: ScoreColumn[] = [
    { name: 'model', title: 'model', format: 'text' },
    { name: 'mase', title: 'MASE', format: 'number', decimals: 3 },
    { name: 'smape', title: 'sMAPE', format: 'percent', decimals: 2 },
    { name: 'rmse', title: 'RMSE', format: 'quantity' },
    { name: 'mae', title: 'MAE', format: 'quantity' },
    { name: 'wql', title: 'WQL', format: 'number', decimals: 4 },
    ...levels.map(
      (level): ScoreColumn => ({ name: `coverage-${level}`, title: `coverage ${level}%`, format: 'share' }),
    ),
  ];
  const rows = leaderboard.map(({ model, mase, smape, rmse, mae, wql, coverage }) => [
    model,
    ...[mase, smape, rmse, mae, wql].map(finiteOrNull),
    ...levels.map((level) => coverage[level]),
  ]);
  return { columns, rows };
}

export const scoresEvent = (leaderboard: readonly Score[]): ScoresEvent => ({
  event: 'scores',
  ...scoreTable(leaderboard),
});

/** Returns notes if the winner is not a network: by how much it beats the best network, and the members of a combined model. */
export function winnerNotes(
  winner: string,
  leaderboard: readonly Score[],
  networkNames: readonly string[],
  combination: Combination | undefined,
): string[] {
  if (networkNames.includes(winner)) return [];
  const [best, network] = [[winner], networkNames].map((names) =>
    leaderboard.find(({ model }) => names.includes(model)),
  );
  const combined = winner === PER_SERIES ? 'best model of each series' : winner;
  const forecast = `Forecast by the ${combination === undefined ? `baseline ${winner}` : combined}`;
  const members = combination === undefined ? [] : [membersNote(winner, combination)];
  if (best === undefined || network === undefined || Number.isNaN(network.mase) || Number.isNaN(best.mase))
    return [`${forecast}.`, ...members];
  const percent = (network.mase / best.mase - 1) * 100;
  const difference = best.mase === 0 ? '' : ` (${percent < 0 ? '' : '+'}${percent.toFixed(1)} %)`;
  const scores = `MASE ${best.mase.toFixed(3)}, ${network.model} ${network.mase.toFixed(3)}${difference}`;
  return [`${forecast}: ${scores}.`, ...members];
}

/**
 * Returns a note on the members of a combined model: their weights or, if the weights differ between series, how many series
 * each model forecasts.
 */
function membersNote(winner: string, { weights, bySeries }: Combination): string {
  if (bySeries === undefined) return `Weights of the ${winner}: ${weightsText(weights)}.`;
  const counts = new Map<string, number>();
  for (const each of bySeries) {
    const name = each.size === 1 ? [...each.keys()][0] : ENSEMBLE;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const sorted = [...counts].sort((a, b) => b[1] - a[1]).map(([name, count]) => `${name} ${count}`);
  return `Series forecast by each model: ${sorted.join(', ')}.`;
}

/** Returns the last event of a run. */
export function resultEvent(
  { plan, frequency }: PreparedForecast,
  winner: string,
  leaderboard: readonly Score[],
): ResultEvent {
  const scores = leaderboard.map((score) => {
    const numbers = Object.entries(score).map(([name, value]): [string, Json] => [
      name,
      typeof value === 'number' ? finiteOrNull(value) : value,
    ]);
    return Object.fromEntries(numbers);
  });
  return { event: 'result', winner, season: plan.season, frequency, leaderboard: scores };
}
