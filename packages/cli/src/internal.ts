/** Parts of @unroll/cli for its own tests. */
export { chart, niceTicks } from './shared/chart.js';
export { forecastReport } from './forecast/report.js';
export { historyRoom, plot, shortNumber } from './shared/plot.js';
export { queryFile } from './shared/query.js';
