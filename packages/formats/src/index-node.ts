/** @unroll/formats/node: saves and loads artifacts on disk. */
export { artifactFiles, loadArtifact, saveArtifact } from './artifact-node.js';
