/** Replaces checkpoints-node.ts in browsers, where `checkpointDir` raises an error. */
import { UnrollError } from '@unroll/core';
import type { CheckpointFiles } from './checkpoints-node.js';

/** @throws UnrollError `value`, always */
export function openCheckpoints(_directory: string, _everySteps: number | null): CheckpointFiles {
  throw new UnrollError(
    'value',
    'checkpointDir needs Node, because browsers have no folders. Use checkpointsTo(store, ...) with a custom store, such ' +
      'as IndexedDB, and pass a stored checkpoint to fit as `resume`.',
  );
}
