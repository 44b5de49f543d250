/** @unroll/insight/node: files of records. */
export { toCsv, toTensorBoard } from './sinks-node.js';
