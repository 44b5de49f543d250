/** Parts of @unroll/tasks for its own tests. Nothing else imports it. */
export { Calibration, widenedBeyond } from './calibration.js';
export { negativeBinomialQuantile, normalQuantile, studentTQuantile } from './distributions.js';
export { PanelEncoder } from './encoder.js';
export { makeHead } from './heads.js';
export { growsWithLevel, planForecast } from './plan.js';
export { filled, thinned } from './rows.js';
export { type WindowScaler, WindowTransform } from './transform.js';
