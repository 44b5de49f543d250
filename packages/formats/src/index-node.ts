/** @unroll/formats/node: artifacts in files. */
export { loadArtifact, saveArtifact } from './artifact-node.js';
