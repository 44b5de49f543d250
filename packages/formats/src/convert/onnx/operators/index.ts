/** The operators of ONNX that Unroll converts, by name. */
import { convolutions } from './convolution.js';
import { elementwise } from './elementwise.js';
import { linear } from './linear.js';
import { normalization } from './normalization.js';
import type { Operator } from './operator.js';
import { recurrent } from './recurrent.js';
import { selection } from './selection.js';
import { structure } from './structure.js';

const all = {
  ...recurrent,
  ...linear,
  ...convolutions,
  ...normalization,
  ...elementwise,
  ...selection,
  ...structure,
};

export const operators: ReadonlyMap<string, Operator> = new Map(
  Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1)),
);
