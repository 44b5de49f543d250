/** @unroll/formats/node: artifacts in files. */
export { artifactFiles, loadArtifact, saveArtifact } from './artifact-node.js';
