/** @unroll/formats/convert/node: files on disk. */
export { fileSource, modelSource } from './source-node.js';
