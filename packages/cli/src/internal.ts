/** Exports of @unroll/cli for its tests. */
export { failureMessage } from './compare/training-run.js';
export { memoryText } from './inspect/page.js';
export { checkWritable, writeAtomically } from './shared/files.js';
export { Progress } from './shared/progress.js';
export { queryFile } from './shared/query.js';
export { Reporter } from './shared/reporter.js';
