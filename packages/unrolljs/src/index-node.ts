/** unrolljs/node: what writes files, and Ctrl-C as a signal. Models themselves save and load without it. */
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
