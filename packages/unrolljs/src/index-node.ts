/**
 * unrolljs/node: callbacks that write files, and Ctrl-C as an abort signal. Saving and loading models does not need
 * it.
 */
export { loadArtifact, saveArtifact } from '@unroll/formats/node';
export {
  type CheckpointFiles,
  type CheckpointFolderOptions,
  type CsvLogOptions,
  checkpoints,
  csvLog,
  interruptSignal,
  readCheckpoint,
  type TensorBoardOptions,
  tensorBoard,
} from '@unroll/train/node';
