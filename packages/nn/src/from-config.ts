/**
 * Creates models from their configs. Configs may refer to the classes exported by ./cells and ./layers, to the model
 * classes and to registered classes.
 */
import { builder, type ModelPart } from './builder.js';
import type { Cell } from './cells/cell.js';
import * as cellExports from './cells/index.js';
import { Functional } from './functional.js';
import { installOptionalFunctions } from './install-optional-functions.js';
import type { Layer } from './layer.js';
import * as layerExports from './layers/index.js';
import type { Network } from './network.js';
import { Sequential } from './sequential.js';

installOptionalFunctions();

const allClasses = builder([...classesIn(cellExports), ...classesIn(layerExports), Sequential, Functional]);

/**
 * Creates the cell described by `{ className, config }`, with new weights.
 * @throws UnrollError `format` for an unknown class
 */
export function cellFromConfig(value: unknown): Cell {
  return allClasses.cell(value);
}

/**
 * Creates the layer or model described by `{ className, config }`, with new weights.
 * @throws UnrollError `format` for an unknown class
 */
export function layerFromConfig(value: unknown): Layer {
  return allClasses.layer(value);
}

/**
 * Creates the model described by the `config` of a model, with new weights.
 * @throws UnrollError `format` for an unknown class
 */
export function modelFromConfig(config: unknown): Network {
  return allClasses.model(config);
}

/** Returns the exported classes that have a class name for configs. */
function classesIn(exports: Record<string, unknown>): ModelPart[] {
  return Object.values(exports).filter(
    (value): value is ModelPart => typeof value === 'function' && Object.hasOwn(value, 'className'),
  );
}
