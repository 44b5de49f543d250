/** Brings what making.ts describes. */
import { RandomStream } from '@unroll/core';
import { drawMasks } from './cells/cell.js';
import { constraint } from './constraints.js';
import { applySymbolic } from './graph.js';
import { initialize } from './initializers.js';
import { type MakingTools, setMakingTools } from './making.js';
import { chainOf, outputOf } from './outputs.js';
import { functionName } from './register-activation.js';
import { regularizer } from './regularizers.js';
import { seededStream } from './seeds.js';
import { rowsInOrder, summaryTable } from './summary.js';
import { setWeights } from './weights.js';

/** To be called by what makes models: a bundler then keeps the tools. */
export function bringMakingTools(): void {
  const stream = (seed: number, path: string): RandomStream => new RandomStream(seed, path);
  const masks: MakingTools['masks'] = (cell, options, batch, inputSize, random) =>
    drawMasks(cell, options, batch, inputSize, seededStream(random, options.seed));
  const summaries = { summary: summaryTable, summaryRows: rowsInOrder };
  const others = { masks, setWeights, functionName, ...summaries };
  const graphs = { apply: applySymbolic, outputOf, chainOf };
  setMakingTools({ stream, initialize, regularizer, constraint, ...others, ...graphs });
}

bringMakingTools();
