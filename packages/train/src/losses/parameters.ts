/** Creates the parameters of losses, such as a temperature or the transitions of a conditional random field. */
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

/** Initial values: a number for all elements, or a function that returns the values in row-major order. */
export type LossInitializer = number | ((shape: Shape, random: RandomStream) => ArrayLike<number>);

export interface LossParameterOptions {
  /** Returns a scalar that is added to the loss. Default null: none. */
  regularizer?: ((weights: Tensor) => Tensor) | null;
  /** Returns the new values of the parameter; called after each update. Default null: none. */
  constraint?: ((weights: Tensor) => Tensor) | null;
  /** False: training does not change the parameter. Default true. */
  trainable?: boolean;
}

/** Creates a parameter of a loss. */
export type LossParameterMaker = (
  name: string,
  shape: Shape,
  initializer: LossInitializer,
  options?: LossParameterOptions,
) => Parameter;

/** Prefix of the names of loss parameters: `loss/<output>/<name>`. */
export const LOSS_PREFIX = 'loss/';

/**
 * Returns the function that creates the parameters of a loss.
 * @param path `loss/<output>`, the prefix of the parameters' names
 * @param stored values from a file, by parameter name; null: initial values
 * @throws UnrollError (by the returned function) `format` if the file has no parameter of this name and shape
 */
export function lossParameterMaker(
  path: string,
  stored: Readonly<Record<string, SavedTensor>> | null,
): LossParameterMaker {
  return (name, shape, initializer, { regularizer = null, constraint = null, trainable = true } = {}) => {
    const fullName = `${path}/${name}`;
    const values = stored
      ? storedValues(stored, fullName, shape)
      : initialValues(initializer, shape, fullName);
    return Object.assign(new Parameter(fullName, shape, values, trainable), { regularizer, constraint });
  };
}

/** Returns the values of an initializer. @throws UnrollError `shape` if their number is wrong */
function initialValues(initializer: LossInitializer, shape: Shape, name: string): ArrayLike<number> {
  if (typeof initializer === 'number') return new Float64Array(sizeOf(shape)).fill(initializer);
  const values = initializer(shape, new RandomStream(0, name));
  if (values.length === sizeOf(shape)) return values;
  throw shapeError(
    `The initializer of ${name} must return ${sizeOf(shape)} values for ${formatShape(shape)}, got ${values.length}.`,
    { name, shape, got: values.length },
  );
}

/** Returns the values of a parameter in a file. @throws UnrollError `format` if the file has none of this name and shape */
export function storedValues(
  stored: Readonly<Record<string, SavedTensor>>,
  name: string,
  shape: Shape,
): ArrayLike<number> {
  const found = Object.hasOwn(stored, name) ? stored[name] : null;
  if (found && formatShape(found.shape) === formatShape(shape)) return found.values;
  const problem = found
    ? `must have shape ${formatShape(shape)}, got ${formatShape(found.shape)} in the file`
    : 'is missing from the file';
  throw new UnrollError('format', `The loss parameter ${name} ${problem}.`, {
    ...{ name, shape, got: found?.shape ?? null },
  });
}
