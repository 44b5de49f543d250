/** Installs the functions of the registry in builders.ts. */
import { RandomStream, unstack } from '@unroll/core';
import { setBuilders } from './builders.js';
import { drawMasks } from './cells/cell.js';
import { constraint } from './constraints.js';
import { forwardFrom } from './forward-from.js';
import { applySymbolic } from './graph.js';
import { initialize } from './initializers.js';
import { outputOf, sequentialGraph } from './outputs.js';
import { functionName } from './register-activation.js';
import { regularizer } from './regularizers.js';
import { seededStream, sequenceStream } from './seeds.js';
import { sequentialRows, summaryTable } from './summary.js';
import { setWeights } from './weights.js';

/** Installs the builders. The factories of models call this function, so that bundlers include the builders. */
export function installBuilders(): void {
  setBuilders({
    randomStream: (seed, path) => new RandomStream(seed, path),
    initialize,
    regularizer,
    constraint,
    drawMasks: (cell, options, batch, inputSize, context) => {
      const steps = seededStream(context.random, options.seed);
      return drawMasks(cell, options, batch, inputSize, sequenceStream(context, options.seed), steps);
    },
    forwardFrom,
    setWeights,
    unstack,
    functionName,
    summary: summaryTable,
    summaryRows: sequentialRows,
    apply: applySymbolic,
    outputOf,
    sequentialGraph,
  });
}

installBuilders();
