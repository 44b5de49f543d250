/** Brings what making.ts describes. */
import { RandomStream } from '@unroll/core';
import { constraint } from './constraints.js';
import { applySymbolic } from './graph.js';
import { initialize } from './initializers.js';
import { setMakingTools } from './making.js';
import { outputOf, chainOf } from './outputs.js';
import { functionName } from './register-activation.js';
import { regularizer } from './regularizers.js';

/** To be called by what makes models: a bundler then keeps the tools. */
export function bringMakingTools(): void {
  const stream = (seed: number, path: string): RandomStream => new RandomStream(seed, path);
  setMakingTools({
    ...{ stream, initialize, regularizer, constraint, functionName },
    ...{ apply: applySymbolic, outputOf, chainOf },
  });
}

bringMakingTools();
