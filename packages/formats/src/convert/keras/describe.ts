/** Describes a Keras model without reading its weights. */
import type { Shape } from '@unroll/core';
import type { Json } from '@unroll/core/internal';
import type { FileDescription, FormatName } from '../format.js';
import type { Hdf5Reader } from '../hdf5/read.js';
import { classNameOf, isObject } from './json.js';
import { plainClassName } from './layer-types.js';
import { LAYERS } from './layers-in.js';
import { isModel, isOperation } from './model-parts.js';
import { dialectOf } from './options.js';
import { layerShapes } from './shapes-in.js';

const MAX_TENSORS = 10_000;

export function describeModel(
  format: FormatName,
  version: string,
  model: Json,
  h5: Hdf5Reader,
): FileDescription {
  const config = isObject(model) && isObject(model.config) ? model.config : {};
  const parts = partsOf(model, dialectOf(version));
  const kind = plainClassName(classNameOf(model) ?? '');
  const name = typeof config.name === 'string' ? ` "${config.name}"` : '';
  const what = model === null ? 'weights without a model' : `${kind}${name}, ${parts.length} layers`;
  return {
    format,
    title: `Keras ${version || '(version unknown)'}, ${what}`,
    parts,
    tensors: allTensors(h5),
    facts: [{ name: 'Keras', value: version || 'unknown' }],
  };
}

/** Returns the layers of a serialised model. */
export function partsOf(model: Json, version: 2 | 3): FileDescription['parts'] {
  const config = isObject(model) && isObject(model.config) ? model.config : {};
  const shapes = layerShapes(model, version);
  return (Array.isArray(config.layers) ? config.layers : []).map((entry) => partOf(entry, version, shapes));
}

function partOf(
  entry: Json,
  version: 2 | 3,
  shapes: ReadonlyMap<string, Shape>,
): FileDescription['parts'][number] {
  const className = plainClassName(classNameOf(entry) ?? '');
  const config = isObject(entry) && isObject(entry.config) ? entry.config : {};
  const names = [isObject(entry) ? entry.name : null, config.name, className];
  const name = names.find((value) => typeof value === 'string') as string;
  const operation = isObject(entry) && isOperation(entry, className, version);
  const supported = Object.hasOwn(LAYERS, className) || className === 'InputLayer' || isModel(className);
  return {
    name,
    type: className,
    shape: shapes.get(name) ?? null,
    supported: supported || operation,
    ...(operation && { note: 'operation' }),
  };
}

function allTensors(h5: Hdf5Reader): FileDescription['tensors'] {
  const tensors: FileDescription['tensors'] = [];
  const visit = (path: string, depth: number): void => {
    for (const key of h5.keys(path || '/')) {
      const child = `${path}/${key}`;
      const kind = h5.kind(child);
      if (kind === 'dataset') tensors.push({ name: child.slice(1), ...h5.describe(child) });
      else if (kind === 'group' && depth < 32) visit(child, depth + 1);
      if (tensors.length > MAX_TENSORS) return;
    }
  };
  visit('', 0);
  return tensors;
}
