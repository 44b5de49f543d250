/** Builds the model of an imported file from a config and arrays. */
import { type FloatArray, formatShape, type Shape, shapeError, UnrollError, valueError } from '@unroll/core';
import { layerFromConfig, modelFromConfig, type Network } from '@unroll/nn';
import type { ImportReport } from './format.js';

/** The values of one parameter. */
export interface ImportedArray {
  shape: Shape;
  values: FloatArray;
  /** Name or path of the values in the file, for error messages. */
  from: string;
}

export const emptyReport = (): ImportReport => ({ mapped: [], defaulted: [], dropped: [] });

/**
 * Creates the model of a config (`{ className, config }`, as in config.json of an artifact), with the given weights.
 * @param arrays values by parameter name: one array for each parameter of the model, and no others
 * @param file name of the file, for the errors about a model that is too large
 * @param inputs shapes to build the model with, if the config has no input shape
 * @throws UnrollError `format` for a missing or unused array or an option of a wrong type, `shape` for an array with the wrong
 * shape, `nan` for values that are not finite, `value` for a graph that is too deep for the call stack or a size that is too large
 */
export function buildImported(
  config: unknown,
  arrays: ReadonlyMap<string, ImportedArray>,
  file: string,
  inputs?: readonly Shape[],
): Network {
  try {
    return buildModel(config, arrays, inputs);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    // The graph of layers is walked recursively, so a deep graph overflows the call stack.
    if (/call stack/i.test(error.message))
      throw valueError(
        `${file}: the graph is too deep: too many layers in a row for the call stack of JavaScript. Convert parts ` +
          'of the model separately.',
      );
    throw valueError(
      `${file}: ${invalidLayer(config)} has a size that is too large for JavaScript (${error.message}).`,
    );
  }
}

function buildModel(
  config: unknown,
  arrays: ReadonlyMap<string, ImportedArray>,
  inputs: readonly Shape[] | undefined,
): Network {
  const model = validModel(config);
  const used = new Set<string>();
  const source = {
    values: (name: string, shape: Shape): FloatArray => {
      const array = arrays.get(name);
      if (!array) {
        throw new UnrollError('format', `The file has no values for ${name} ${formatShape(shape)}.`, {
          name,
        });
      }
      if (formatShape(array.shape) !== formatShape(shape)) {
        throw shapeError(
          `${array.from} must have shape ${formatShape(shape)} for ${name}, got ${formatShape(array.shape)}.`,
          { name, expected: shape, got: array.shape },
        );
      }
      checkFinite(array);
      used.add(name);
      return array.values;
    },
  };
  model.build(inputs ?? model.inputShapes ?? [], source);
  const unused = [...arrays].filter(([name]) => !used.has(name)).map(([, { from }]) => from);
  if (unused.length > 0) {
    throw new UnrollError('format', `No layer of the model uses ${unused.slice(0, 5).join(', ')}.`, {
      unused,
    });
  }
  return model;
}

/** Creates the model. An option of a wrong type can cause a TypeError in a layer, which is reported as a `format` error. */
function validModel(config: unknown): Network {
  try {
    return modelFromConfig(config);
  } catch (error) {
    if (error instanceof UnrollError || error instanceof RangeError) throw error;
    throw new UnrollError(
      'format',
      `${invalidLayer(config)} has an option of a wrong type (${(error as Error).message}). ` +
        'Correct it in the file (for a PyTorch state dict: in the map, option --map), or save the model again.',
    );
  }
}

/** Returns the name of the first layer that cannot be created. */
function invalidLayer(config: unknown): string {
  const { layers } = (config as { config: { layers?: LayerEntry[] } }).config;
  const invalid = (Array.isArray(layers) ? layers : []).find((layer: LayerEntry) => {
    try {
      layerFromConfig(layer);
      return false;
    } catch {
      return true;
    }
  });
  return invalid ? `Layer "${invalid.config.name ?? '?'}" (${invalid.className})` : 'A layer';
}

interface LayerEntry {
  className: string;
  config: { name?: string };
}

function checkFinite({ values, from }: ImportedArray): void {
  let at = 0;
  while (Number.isFinite(values[at])) at++; // undefined ends the loop
  if (at === values.length) return;
  throw new UnrollError(
    'nan',
    `${from} has the value ${values[at]} at index ${at}. Weights must be finite: the model may have diverged in training.`,
    {
      from,
      at,
    },
  );
}
