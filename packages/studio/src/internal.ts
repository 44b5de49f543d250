/** Exports for tests. */

export { formatNumber } from './charts/format-number.js';
export { lineSvg } from './charts/line-svg.js';
export { paintHeat } from './charts/paint.js';
export { compareAblation } from './engine/ablation.js';
export { answer } from './engine/answers.js';
export { describeFiles } from './engine/artifacts.js';
export { generate } from './engine/generate.js';
export { Lane, selectExamples } from './engine/lane.js';
export { lookAt } from './engine/look-at.js';
export { traceOf } from './engine/looks.js';
export { en } from './i18n/en.js';
export { zh } from './i18n/zh.js';
export { numericColumns } from './problems/csv.js';
export { problemOf } from './problems/index.js';
export { MESSAGES } from './problems/input-error.js';
export { SAMPLE_LINES, SAMPLE_TEXT } from './problems/samples.js';
export { Curve, smooth } from './state/history.js';
export { CELLS, DEFAULTS, fromFragment, PRESETS, toFragment } from './state/settings.js';
export { arithmeticOf } from './views/arithmetic.js';
export { rowsOf } from './views/graph.js';
export { forecastErrors } from './views/intervals.js';
export { OpenedFiles } from './views/opened.js';
export { activeUnits, unitOrder } from './views/order.js';
export { softmaxOf } from './views/outputs.js';
export { curvesOf, scoresOf } from './views/runs.js';
