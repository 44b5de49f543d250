/** Parameters of a loss, such as a temperature or the transitions of a conditional random field. */
import {
  formatShape,
  Parameter,
  RandomStream,
  type Shape,
  shapeError,
  type Tensor,
  UnrollError,
} from '@unroll/core';
import { sizeOf } from '@unroll/core/internal';
import type { SavedTensor } from '../callbacks/callback.js';

/** Initial values: a number for all elements, or a function of shape and random stream, row-major. */
export type LossInitializer = number | ((shape: Shape, random: RandomStream) => ArrayLike<number>);

export interface LossParameterOptions {
  /** A scalar that the parameter adds to the loss. Default: nothing. */
  regularizer?: ((weights: Tensor) => Tensor) | null;
  /** Applied to the parameter after each update. Default: nothing. */
  constraint?: ((weights: Tensor) => Tensor) | null;
  /** Default true. */
  trainable?: boolean;
}

/** Creates a parameter of a loss. */
export type LossParameterMaker = (
  name: string,
  shape: Shape,
  initializer: LossInitializer,
  options?: LossParameterOptions,
) => Parameter;

/** The prefix of the names of loss parameters, before the name of the output. */
export const LOSS_PREFIX = 'loss/';

/**
 * Creates the parameters of a loss.
 * @param path `loss/<output>`, the prefix of their names
 * @param stored values from a file, by parameter name; null: initial values
 * @throws UnrollError `format` if the file has none of that name and shape
 */
export function lossParameterMaker(
  path: string,
  stored: Readonly<Record<string, SavedTensor>> | null,
): LossParameterMaker {
  return (name, shape, initializer, { regularizer = null, constraint = null, trainable = true } = {}) => {
    const full = `${path}/${name}`;
    const values = stored ? storedValues(stored, full, shape) : firstValues(initializer, shape, full);
    return Object.assign(new Parameter(full, shape, values, trainable), { regularizer, constraint });
  };
}

function firstValues(initializer: LossInitializer, shape: Shape, name: string): ArrayLike<number> {
  if (typeof initializer === 'number') return new Float64Array(sizeOf(shape)).fill(initializer);
  const values = initializer(shape, new RandomStream(0, name));
  if (values.length === sizeOf(shape)) return values;
  throw shapeError(
    `The initializer of ${name} gives ${values.length} values, expected ${sizeOf(shape)} for ${formatShape(shape)}.`,
    { name, shape, got: values.length },
  );
}

function storedValues(
  stored: Readonly<Record<string, SavedTensor>>,
  name: string,
  shape: Shape,
): ArrayLike<number> {
  const found = Object.hasOwn(stored, name) ? stored[name] : null;
  if (found && formatShape(found.shape) === formatShape(shape)) return found.values;
  const what = found
    ? `must have shape ${formatShape(shape)}, got ${formatShape(found.shape)} in the file`
    : 'is missing from the file';
  throw new UnrollError('format', `The loss parameter ${name} ${what}.`, {
    ...{ name, shape, got: found?.shape ?? null },
  });
}
