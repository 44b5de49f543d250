/** What a forecast tells people while it runs, and the events that it tells programs. */
import {
  type ForecastEvent,
  type ForecastPlan,
  type ForecastResult,
  type Panel,
  panelEnd,
  type Score,
  timeAt,
} from '@unroll/tasks';
import { historyRoom, plot } from '../shared/plot.js';
import type { Progress } from '../shared/progress.js';
import { alignColumns, type Reporter } from '../shared/reporter.js';

type PlanEvent = Extract<ForecastEvent, { type: 'plan' }>;

/** Passes an event on to people and programs. */
export function tell(event: ForecastEvent, reporter: Reporter, progress: Progress): void {
  if (event.type === 'plan') showPlan(event, reporter);
  else if (event.type === 'leaderboard') {
    progress.finish();
    showLeaderboard(event.leaderboard, reporter);
  } else if (event.type === 'result') progress.finish();
  else if (event.type === 'warning') reporter.say(`warning: ${event.message}`);
  else {
    progress.update(event);
    if (event.type !== 'epoch') return;
    const { stage, epoch, epochs, loss, validationLoss } = event;
    const training = { stage: stage.name, model: stage.model, training: stage.index, trainings: stage.count };
    reporter.event('epoch', { ...training, epoch, epochs, loss, validationLoss });
  }
}

/** How the values are measured, where it is not as they are. */
const takenAs = ({ log, scaler }: ForecastPlan): string =>
  log ? ', taken as logarithms' : scaler === 'changes' ? '' : `, taken as ${TAKEN[scaler]}`;
const TAKEN = {
  counts: 'counts',
  standard: 'deviations from the mean',
  robust: 'distances from the median',
  minmax: 'shares of the range',
  instance: 'deviations from the mean of each window',
};

const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;

function span(panel: Panel): { from: string; to: string; rows: number } {
  const first = Math.min(...panel.series.map(({ offset }) => offset));
  const rows = panel.series.reduce((sum, { values }) => sum + values.length, 0);
  return { from: timeAt(panel, first), to: timeAt(panel, panelEnd(panel) - 1), rows };
}

/** What the network sees beside the target. */
export function besideTarget({ covariates }: Panel, { calendar = [] }: ForecastPlan): string[] {
  const columns = covariates.map(({ name, role }) => `${name} (${role})`);
  return calendar.length === 0 ? columns : [...columns, `the calendar (${calendar.join(', ')})`];
}

export function showPlan({ panel, plan, frequency }: PlanEvent, reporter: Reporter): void {
  const { from, to, rows } = span(panel);
  const many = panel.idColumn === null ? '' : ` of ${panel.series.length} series ("${panel.idColumn}")`;
  const season = plan.season === 1 ? 'no season' : `season of ${plan.season} rows`;
  const last = timeAt(panel, plan.origins.at(-1)! + plan.horizon - 1);
  const beside = besideTarget(panel, plan).join(', ');
  reporter.say(`data     ${rows} rows${many} of "${panel.target}" by "${panel.time.name}", ${from} to ${to}`);
  reporter.say(`         ${frequency}, ${season}${takenAs(plan)}`);
  if (beside !== '') reporter.say(`         beside it ${beside}`);
  for (const note of panel.notes) reporter.say(`         ${note}`);
  const forecasts = `${count(plan.origins.length, 'forecast')} of ${count(plan.horizon, 'row')}`;
  reporter.say(`test     ${forecasts} from ${timeAt(panel, plan.cut)} to ${last}, by models`);
  reporter.say(`         trained on the rows before, ${from} to ${timeAt(panel, plan.cut - 1)}`);
  reporter.event('plan', {
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
    calendar: plan.calendar,
    notes: panel.notes,
  });
}

/** The leaderboard as rows of text, its head first. */
export function leaderboardRows(leaderboard: readonly Score[]): string[][] {
  const levels = Object.keys(leaderboard[0].coverage);
  const rows = leaderboard.map((score) => [
    score.model,
    fixed(score.mase, 3),
    `${fixed(score.smape, 2)} %`,
    unitNumber(score.rmse),
    unitNumber(score.mae),
    fixed(score.wql, 4),
    ...levels.map((level) =>
      score.coverage[level] === null ? '-' : `${fixed(100 * score.coverage[level], 0)} %`,
    ),
  ]);
  return [
    ['model', 'MASE', 'sMAPE', 'RMSE', 'MAE', 'WQL', ...levels.map((level) => `in ${level}%`)],
    ...rows,
  ];
}

function showLeaderboard(leaderboard: readonly Score[], reporter: Reporter): void {
  reporter.say();
  for (const [i, line] of alignColumns(leaderboardRows(leaderboard)).entries()) {
    reporter.say(i === 1 ? reporter.strong(line) : line);
  }
  reporter.say();
}

const fixed = (value: number, decimals: number): string =>
  Number.isNaN(value) ? '-' : value.toFixed(decimals);

/** An error in the unit of the target: two decimals, or four digits where it is large or tiny. */
function unitNumber(value: number): string {
  return value >= 0.1 && value < 1e5 ? value.toFixed(2) : value.toPrecision(4);
}

/** The forecast of the first series as a plot. */
export function showForecast(
  { panel, plan, winner, forecasts, notes }: ForecastResult,
  reporter: Reporter,
): void {
  for (const note of notes.slice(panel.notes.length)) reporter.say(`${note}\n`);
  const [series, forecast] = [panel.series[0], forecasts[0]];
  const wanted = Math.max(4 * plan.season, 5 * plan.horizon, 24);
  const shown = Math.min(series.values.length, wanted, historyRoom(reporter.width, plan.horizon));
  const end = series.offset + series.values.length;
  const labels = [timeAt(panel, end - shown), timeAt(panel, end - 1), forecast.time.at(-1)!] as const;
  const name = panel.idColumn === null ? panel.target : `${panel.target} of ${series.id}`;
  reporter.say(`${name}: the last ${count(shown, 'row')}, and ● the next ${plan.horizon} by ${winner}`);
  const paint = (mark: string) => reporter.accent(mark);
  const data = { history: series.values.slice(-shown), forecast: forecast.median, labels };
  for (const line of plot(data, { width: reporter.width, paint })) reporter.say(line);
}
