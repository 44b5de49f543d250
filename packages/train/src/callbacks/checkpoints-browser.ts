/** What stands in for checkpoints-node.ts where there are no files. */
import { UnrollError } from '@unroll/core';
import type { CheckpointFiles } from './checkpoints-node.js';

export function openCheckpoints(_directory: string, _everySteps: number | null): CheckpointFiles {
  throw new UnrollError(
    'value',
    'checkpointDir is for Node: a page has no folders. Use checkpointsTo(store, ...) with a store of your ' +
      'own, such as ' +
      'IndexedDB, and give fit its checkpoint as `resume`.',
  );
}
