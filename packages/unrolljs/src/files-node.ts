/** File access in Node: artifacts by path. Also exports the function that prepares a backend for `unrolljs/infer`. */
import { artifactFiles, saveArtifact } from '@unroll/formats/node';

export { ready as readyToRun } from '@unroll/core';
export const saveTo = saveArtifact;
export const filesAt = artifactFiles;
export const filesIn = artifactFiles;
