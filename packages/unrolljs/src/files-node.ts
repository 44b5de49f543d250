/** In Node: artifacts by path, and the backend of `unrolljs/infer`. */
import { artifactFiles, saveArtifact } from '@unroll/formats/node';

export { ready as readyToRun } from '@unroll/core';
export const saveTo = saveArtifact;
export const filesAt = artifactFiles;
export const filesIn = artifactFiles;
