/** Brings what making.ts describes. */
import { RandomStream } from '@unroll/core';
import { constraint } from './constraints.js';
import { applySymbolic } from './graph.js';
import { initialize } from './initializers.js';
import { setMakingTools } from './making.js';
import { numberLayers } from './numbering.js';
import { chainOf, outputOf } from './outputs.js';
import { functionName } from './register-activation.js';
import { regularizer } from './regularizers.js';
import { rowsInOrder, summaryTable } from './summary.js';
import { setWeights } from './weights.js';

/** To be called by what makes models: a bundler then keeps the tools. */
export function bringMakingTools(): void {
  const stream = (seed: number, path: string): RandomStream => new RandomStream(seed, path);
  const summaries = { summary: summaryTable, summaryRows: rowsInOrder };
  const others = { setWeights, number: numberLayers, functionName, ...summaries };
  const graphs = { apply: applySymbolic, outputOf, chainOf };
  setMakingTools({ stream, initialize, regularizer, constraint, ...others, ...graphs });
}

bringMakingTools();
