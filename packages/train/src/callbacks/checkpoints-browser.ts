/** Replaces checkpoints-node.ts in browsers. */
import { UnrollError } from '@unroll/core';
import type { CheckpointFiles } from './checkpoints-node.js';

export function openCheckpoints(_directory: string, _everySteps: number | null): CheckpointFiles {
  throw new UnrollError(
    'value',
    'checkpointDir needs Node: a page has no folders. Use checkpointsTo(store, ...) with a custom store, such ' +
      'as IndexedDB, and pass its checkpoint to fit as `resume`.',
  );
}
