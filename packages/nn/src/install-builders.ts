/** Installs the registry of builders.ts. */
import { RandomStream } from '@unroll/core';
import { type Builders, setBuilders } from './builders.js';
import { drawMasks } from './cells/cell.js';
import { constraint } from './constraints.js';
import { applySymbolic } from './graph.js';
import { initialize } from './initializers.js';
import { chainOf, outputOf } from './outputs.js';
import { functionName } from './register-activation.js';
import { regularizer } from './regularizers.js';
import { seededStream } from './seeds.js';
import { rowsInOrder, summaryTable } from './summary.js';
import { setWeights } from './weights.js';

/** Called by the factories of models, so that bundlers include the builders. */
export function installBuilders(): void {
  const stream = (seed: number, path: string): RandomStream => new RandomStream(seed, path);
  const masks: Builders['masks'] = (cell, options, batch, inputSize, random) =>
    drawMasks(cell, options, batch, inputSize, seededStream(random, options.seed));
  const summaries = { summary: summaryTable, summaryRows: rowsInOrder };
  const others = { masks, setWeights, functionName, ...summaries };
  const graphs = { apply: applySymbolic, outputOf, chainOf };
  setBuilders({ stream, initialize, regularizer, constraint, ...others, ...graphs });
}

installBuilders();
