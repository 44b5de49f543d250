/** Parts of @unroll/cli for its own tests. */
export { plot, shortNumber } from './plot.js';
