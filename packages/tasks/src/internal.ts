/** Parts of @unroll/tasks for its own tests. Nothing else imports it. */
export { growsWithLevel, planForecast } from './plan.js';
export { filled, futureTimes } from './series.js';
export { WindowTransform } from './transform.js';
