/** The plan, leaderboard and result events of a forecast: JSON for programs, text for people. */
import type { Json } from '@unroll/core/internal';
import { finiteOrNull, type PlanEvent, type ResultEvent, type ScoresEvent } from '../shared/events.js';
import type { ScoreColumn, ScoreTable } from '../shared/scores.js';
import type { Score } from './backtest.js';
import { type Panel, panelEnd, timeAt } from './panel.js';
import type { ForecastPlan } from './plan.js';

/** The panel read from a table, and the plan of the run. */
export interface PreparedForecast {
  panel: Panel;
  plan: ForecastPlan;
  /** "monthly" */
  frequency: string;
}

/** How the values are scaled, unless they are used unchanged. */
const scaling = ({ log, scaler }: ForecastPlan): string =>
  log ? ', log-transformed' : scaler === 'changes' ? '' : `, ${SCALED[scaler]}`;
const SCALED = {
  counts: 'modelled as counts',
  standard: 'standardised by mean and deviation',
  robust: 'scaled by median and interquartile range',
  minmax: 'scaled by minimum and maximum',
  instance: 'standardised within each window',
};

const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;

/** Inputs of the network in addition to the target. */
export function otherInputs({ covariates }: Panel, { calendar = [] }: ForecastPlan): string[] {
  const columns = covariates.map(({ name, role }) => `${name} (${role})`);
  return calendar.length === 0 ? columns : [...columns, `the calendar (${calendar.join(', ')})`];
}

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
  const many = panel.idColumn === null ? '' : ` of ${panel.series.length} series ("${panel.idColumn}")`;
  const season = plan.season === 1 ? 'no season' : `season length ${plan.season}`;
  const last = timeAt(panel, Math.max(...plan.origins) + plan.horizon - 1);
  const beside = otherInputs(panel, plan).join(', ');
  const forecasts = `${count(plan.origins.length, 'forecast')} of ${count(plan.horizon, 'row')}`;
  const under = (text: string) => ({ label: '', text });
  return [
    {
      label: 'data',
      text: `${rows} rows${many} of "${panel.target}" by "${panel.time.name}", ${from} to ${to}`,
    },
    under(`${frequency}, ${season}${scaling(plan)}`),
    ...(beside === '' ? [] : [under(`additional inputs: ${beside}`)]),
    ...panel.notes.map(under),
    { label: 'backtest', text: `${forecasts} from ${timeAt(panel, plan.cut)} to ${last}` },
    under(`training rows: ${from} to ${timeAt(panel, plan.cut - 1)}`),
  ];
}

/** The leaderboard as a table. */
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
