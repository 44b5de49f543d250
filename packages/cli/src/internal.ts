/** Parts of @unroll/cli for its own tests. */
export { queryFile } from './shared/query.js';
