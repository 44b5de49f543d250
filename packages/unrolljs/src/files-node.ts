/** File access in Node: artifacts by path. Also selects the function that prepares a backend for `unrolljs/infer`. */
import { artifactFiles, saveArtifact } from '@unroll/formats/node';

export { ready as readyToRun } from '@unroll/core';
export { fileSource as sourceAt } from '@unroll/formats/convert/node';
export const saveTo = saveArtifact;
export const filesAt = artifactFiles;
export const filesIn = artifactFiles;
