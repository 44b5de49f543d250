/** Installs the optional functions (see optional-functions.ts). */
import { RandomStream, unstack } from '@unroll/core';
import { drawMasks } from './cells/cell.js';
import { constraint } from './constraints.js';
import { forwardFrom } from './forward-from.js';
import { applySymbolic } from './graph.js';
import { initialize } from './initializers.js';
import { setOptionalFunctions } from './optional-functions.js';
import { outputOf, sequentialGraph } from './outputs.js';
import { functionName } from './register-activation.js';
import { regularizer } from './regularizers.js';
import { seededStream, sequenceStream } from './seeds.js';
import { sequentialRows, summaryTable } from './summary.js';
import { setWeights } from './weights.js';

/**
 * Installs the optional functions. `sequential`, `model` and from-config.ts call this function, so that bundlers include
 * the optional functions.
 */
export function installOptionalFunctions(): void {
  setOptionalFunctions({
    randomStream: (seed, path) => new RandomStream(seed, path),
    initialize,
    regularizer,
    constraint,
    drawMasks: (cell, options, batch, inputSize, context) => {
      const stepRandom = seededStream(context.random, options.seed);
      return drawMasks(cell, options, batch, inputSize, sequenceStream(context, options.seed), stepRandom);
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

installOptionalFunctions();
