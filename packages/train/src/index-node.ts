/** @unroll/train/node: callbacks that write files. */
export {
  type CheckpointFiles,
  type CheckpointFolderOptions,
  checkpoints,
  readCheckpoint,
} from './callbacks/checkpoints-node.js';
