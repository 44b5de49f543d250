/** Plots the forecast of the first series in the terminal. */
import { type ForecastResult, historyCapacity, plot, timeAt } from '@unroll/tasks';
import type { Reporter } from '../shared/reporter.js';

/** Prints a heading and the plot. */
export function showForecast({ panel, plan, winner, forecasts }: ForecastResult, reporter: Reporter): void {
  const [series] = panel.series;
  const [forecast] = forecasts;
  const contextRows = Math.max(4 * plan.season, 5 * plan.horizon, 24);
  const shownRows = Math.min(
    series.values.length,
    contextRows,
    historyCapacity(reporter.width, plan.horizon),
  );
  const end = series.offset + series.values.length;
  const last = forecast.time[forecast.time.length - 1];
  const labels = [timeAt(panel, end - shownRows), timeAt(panel, end - 1), last] as const;
  const name = panel.idColumn === null ? panel.target : `${panel.target} of ${series.id}`;
  const rows = `${shownRows} row${shownRows === 1 ? '' : 's'}`;
  reporter.print(`${name}: last ${rows} and ${winner} forecast of the next ${plan.horizon} (●)`);
  const paint = (mark: string) => reporter.accent(mark);
  const data = { history: series.values.slice(-shownRows), forecast: forecast.median, labels };
  for (const line of plot(data, { width: reporter.width, paint })) reporter.print(line);
}
