/** @unroll/insight/node: writes the records of a `recorder` to files. */
export { toCsv, toTensorBoard } from './sinks-node.js';
