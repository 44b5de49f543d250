/** @unroll/formats/node: artifacts on disk. */
export { artifactFiles, loadArtifact, saveArtifact } from './artifact-node.js';
