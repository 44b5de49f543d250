/** @unroll/formats: reads and writes model files. */
export {
  readSafetensors,
  type SafetensorsFile,
  type SafetensorsType,
  type StoredTensor,
  storeFloats,
  writeSafetensors,
} from '@unroll/core/internal';
export {
  ARTIFACT_FILES,
  type Artifact,
  type ArtifactExtras,
  type ArtifactFiles,
  artifactOf,
  fromArtifact,
  isArtifactZip,
  toArtifact,
} from './artifact.js';
export { floatsOf } from './dtypes.js';
export { rejectForeignFile } from './foreign.js';
export { fromZip, toZip } from './zip.js';
