/** @unroll/cli: the command `unroll`. `main` runs it and resolves to the exit code. */
export { main } from './main.js';
