/** Internals of @unroll/tasks for its own tests. */
export { baselines } from './forecast/baselines.js';
export { Calibration, widenLongHorizon } from './forecast/calibration.js';
export { combine, ensembleWeights, HeldOutErrors } from './forecast/combination.js';
export { negativeBinomialQuantile, normalQuantile, studentTQuantile } from './forecast/distributions.js';
export { PanelEncoder } from './forecast/encoder.js';
export { Ensemble, joinNetworks } from './forecast/ensemble.js';
export { makeHead } from './forecast/heads.js';
export { ShiftSearch } from './forecast/level-shifts.js';
export { levelledOrigins } from './forecast/levelled.js';
export { fitNetwork, networkPlanOf, sameViews } from './forecast/network.js';
export { growsWithLevel, planForecast } from './forecast/plan.js';
export { chooseViews } from './forecast/representation.js';
export { fillGaps, subsample } from './forecast/rows.js';
export { chooseSeason } from './forecast/seasons.js';
export { type WindowScaler, WindowTransform, warmUp } from './forecast/transform.js';
export { niceTicks, widenRange } from './shared/report/chart.js';
export { shortNumber } from './shared/report/plot.js';
export { CheckpointedTrainer } from './shared/resume.js';
