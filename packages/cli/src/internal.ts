/** Exports of @unroll/cli for its tests. */
export { writeAtomically } from './shared/files.js';
export { Progress } from './shared/progress.js';
export { queryFile } from './shared/query.js';
export { Reporter } from './shared/reporter.js';
