/** The files that a forecast leaves: the forecast itself, what the backtest said, and rows to fill in. */
import {
  actualAt,
  type ForecastResult,
  type FutureTemplate,
  type Intervals,
  levelName,
  timeAt,
} from '@unroll/tasks';
import { csvLine } from './files.js';

/** Ten digits are more than any forecast has, and fewer than rounding errors show in. */
const digits = (value: number): string => (Number.isNaN(value) ? '' : String(Number(value.toPrecision(10))));

const boundNames = (levels: readonly number[]): string[] =>
  levels.flatMap((level) => [`lo-${levelName(level)}`, `hi-${levelName(level)}`]);

const bounds = ({ lower, upper }: Intervals, k: number): string[] =>
  lower.flatMap((low, l) => [digits(low[k]!), digits(upper[l]![k]!)]);

/** series?, time, mean, median, lo-80, hi-80, ... */
export function forecastCsv({ panel, forecasts, levels }: ForecastResult): string {
  const many = panel.idColumn !== null;
  const head = [...(many ? ['series'] : []), 'time', 'mean', 'median', ...boundNames(levels)];
  const rows = forecasts.flatMap((forecast) =>
    forecast.time.map((time, k) => [
      ...(many ? [forecast.id] : []),
      time,
      digits(forecast.mean[k]!),
      digits(forecast.median[k]!),
      ...bounds(forecast, k),
    ]),
  );
  return [head, ...rows].map(csvLine).join('');
}

/** series?, origin (the last known time), time, model, actual, median, lo-80, hi-80, ...; intervals may be empty. */
export function backtestCsv({ panel, plan, origins, backtest, levels }: ForecastResult): string {
  const many = panel.idColumn !== null;
  const head = [
    ...(many ? ['series'] : []),
    'origin',
    'time',
    'model',
    'actual',
    'median',
    ...boundNames(levels),
  ];
  const rows = origins.flatMap((place, n) => {
    const actual = actualAt(panel, place, plan.horizon);
    const id = many ? [panel.series[place.series]!.id] : [];
    return backtest.flatMap(({ model, forecasts }) =>
      Array.from(forecasts[n]!.median, (median, k) => [
        ...id,
        timeAt(panel, place.origin - 1),
        timeAt(panel, place.origin + k),
        model,
        digits(actual[k]!),
        digits(median),
        ...bounds(forecasts[n]!, k),
      ]),
    );
  });
  return [head, ...rows].map(csvLine).join('');
}

/** The rows of future covariates to fill in. */
export function templateCsv({ columns, rows }: FutureTemplate): string {
  return [columns, ...rows].map(csvLine).join('');
}
