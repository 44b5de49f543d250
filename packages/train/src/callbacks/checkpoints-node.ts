/** Checkpoints as files in a folder. Each file is written atomically, so that a crash never leaves a partial file. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checkOptions } from '@unroll/core/internal';
import { writeFileAtomically } from '@unroll/core/node';
import { type Checkpoint, decodeCheckpoint } from '../checkpoint.js';
import type { Callback } from './callback.js';
import { CHECKPOINT_OPTIONS, type CheckpointOptions, checkpointCallback } from './checkpoints.js';

export interface CheckpointFolderOptions extends CheckpointOptions {
  /** The folder; created if it does not exist. */
  directory: string;
}

/** A callback that writes checkpoints and can read the last one. */
export interface CheckpointFiles extends Callback {
  /** Returns the checkpoint `last`; null if there is none. @throws UnrollError `format` if the file is damaged */
  load(): Promise<Checkpoint | null>;
}

/**
 * Returns a callback that writes checkpoints into a folder as `<name>.safetensors`: `last` after every epoch and when the
 * run ends, and others according to the options.
 */
export function checkpoints(folderOptions: CheckpointFolderOptions): CheckpointFiles {
  checkOptions('checkpoints', folderOptions, { directory: 'string', ...CHECKPOINT_OPTIONS });
  const { directory, ...options } = folderOptions;
  const location = (name: string): string => join(directory, `${name}.safetensors`);
  const store = {
    location,
    write: (name: string, bytes: Uint8Array) => writeFileAtomically(location(name), bytes),
  };
  const callback = checkpointCallback('checkpoints', store, options);
  return { ...callback, load: () => readCheckpoint(location('last')) };
}

/** Returns the checkpoint in a file; null if the file does not exist. @throws UnrollError `format` if the file is damaged */
export async function readCheckpoint(file: string): Promise<Checkpoint | null> {
  try {
    return decodeCheckpoint(await readFile(file));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** Returns the callback for `fit({ checkpointDir })`. @param everySteps null: writes after epochs only */
export function openCheckpoints(directory: string, everySteps: number | null): CheckpointFiles {
  return checkpoints(everySteps === null ? { directory } : { directory, everySteps });
}
