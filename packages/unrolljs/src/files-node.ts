/** Artifacts by path, in Node. */
import { loadArtifact, saveArtifact } from '@unroll/formats/node';

export const saveTo = saveArtifact;
export const loadFrom = loadArtifact;
