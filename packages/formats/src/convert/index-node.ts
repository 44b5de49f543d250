/** @unroll/formats/convert/node: files on disk. */
export { fileSource } from './source-node.js';
