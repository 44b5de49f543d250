/** Parts of @unroll/cli for its own tests. */
export { chart, niceTicks } from './chart.js';
export { forecastReport } from './forecast-report.js';
export { historyRoom, plot, shortNumber } from './plot.js';
export { queryFile } from './query.js';
