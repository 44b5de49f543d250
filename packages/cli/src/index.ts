/** @unroll/cli: the command line `unroll`. `main` runs a command and resolves to the exit code. */
export { main } from './main.js';
