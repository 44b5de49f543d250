/** Artifacts by path, and what `unrolljs/infer` runs on, in Node. */
import { artifactFiles, saveArtifact } from '@unroll/formats/node';

export { ready as readyToRun } from '@unroll/core';
export const saveTo = saveArtifact;
export const filesAt = artifactFiles;
export const filesIn = artifactFiles;
