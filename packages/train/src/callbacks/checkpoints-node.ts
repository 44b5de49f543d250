/** Checkpoints in a folder, each file written atomically: a crash never leaves a partial one. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checkOptions } from '@unroll/core/internal';
import { writeWhole } from '@unroll/core/node';
import { type Checkpoint, decodeCheckpoint } from '../checkpoint.js';
import type { Callback } from './callback.js';
import { CHECKPOINT_OPTIONS, type CheckpointOptions, checkpointsTo } from './checkpoints.js';

export interface CheckpointFolderOptions extends CheckpointOptions {
  /** The folder; created if it does not exist. */
  directory: string;
}

/** A callback that can also read the checkpoints it wrote. */
export interface CheckpointFiles extends Callback {
  /**
   * Reads the checkpoint `last`; null if there is none. @throws UnrollError `format` for a damaged file
   */
  load(): Promise<Checkpoint | null>;
}

/**
 * Writes checkpoints as `<name>.safetensors` into a folder: `last` after every epoch and when the run ends,
 * others as the options say.
 */
export function checkpoints(given: CheckpointFolderOptions): CheckpointFiles {
  checkOptions('checkpoints', given, { directory: 'string', ...CHECKPOINT_OPTIONS });
  const { directory, ...options } = given;
  const location = (name: string): string => join(directory, `${name}.safetensors`);
  const store = {
    location,
    write: (name: string, bytes: Uint8Array) => writeWhole(location(name), bytes),
  };
  return { ...checkpointsTo(store, options), load: () => readCheckpoint(location('last')) };
}

/**
 * Reads a checkpoint from a file; null if the file does not exist. @throws UnrollError `format` for a damaged file
 */
export async function readCheckpoint(file: string): Promise<Checkpoint | null> {
  try {
    return decodeCheckpoint(await readFile(file));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** For `fit({ checkpointDir })`. */
export function openCheckpoints(directory: string, everySteps: number | null): CheckpointFiles {
  return checkpoints(everySteps === null ? { directory } : { directory, everySteps });
}
