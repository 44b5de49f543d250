/** @unroll/train/node: callbacks that write files, and Ctrl-C as an abort signal. */
export {
  type CheckpointFiles,
  type CheckpointFolderOptions,
  checkpoints,
  readCheckpoint,
} from './callbacks/checkpoints-node.js';
export { type CsvLogOptions, csvLog } from './callbacks/csv-log-node.js';
export type { Histogram } from './callbacks/event-file.js';
/** @internal */
export { LogFile } from './callbacks/log-file-node.js';
export { type TensorBoard, type TensorBoardOptions, tensorBoard } from './callbacks/tensor-board-node.js';
export { interruptSignal } from './interrupt-node.js';
