/**
 * unrolljs/node: callbacks that write files, and an abort signal for Ctrl-C. To save and load models, `unrolljs` is
 * sufficient.
 */

export { loadArtifact, saveArtifact } from '@unroll/formats/node';
export { toCsv, toTensorBoard } from '@unroll/insight/node';
export {
  type CheckpointFiles,
  type CheckpointFolderOptions,
  type CsvLogOptions,
  checkpoints,
  csvLog,
  interruptSignal,
  readCheckpoint,
  type TensorBoard,
  type TensorBoardOptions,
  tensorBoard,
} from '@unroll/train/node';
