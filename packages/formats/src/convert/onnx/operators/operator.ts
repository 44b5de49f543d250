/** The interface of the converters of ONNX operators. */
import type { NodeContext } from '../context.js';
import type { Value } from '../values.js';

export interface Operator {
  /** The layer that a node becomes, for the documentation. */
  becomes: string;
  /** The attributes that are supported. Any other is an error. */
  attributes: readonly string[];
  /** Restrictions, for the documentation. */
  note?: string;
  /** Converts a node. Returns the values of its outputs; undefined for an output that nothing in the graph uses. */
  convert(context: NodeContext): readonly (Value | undefined)[];
}
