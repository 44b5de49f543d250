/**
 * Restores models from their configs. Configs may name the classes exported by ./cells and ./layers, the model
 * classes, and registered classes.
 */
import { builder, type ModelPart } from './builder.js';
import type { Cell } from './cells/cell.js';
import * as cellExports from './cells/index.js';
import { Functional } from './functional.js';
import { installBuilders } from './install-builders.js';
import type { Layer } from './layer.js';
import * as layerExports from './layers/index.js';
import type { Network } from './network.js';
import { DeclaredSequential } from './sequential.js';

installBuilders();

const all = builder([...classesIn(cellExports), ...classesIn(layerExports), DeclaredSequential, Functional]);

/**
 * Creates the cell that `{ className, config }` describes, with new weights.
 * @throws UnrollError `format` for an unknown class
 */
export function cellFromConfig(value: unknown): Cell {
  return all.cell(value);
}

/**
 * Creates the layer (or model) that `{ className, config }` describes, with new weights.
 * @throws UnrollError `format` for an unknown class
 */
export function layerFromConfig(value: unknown): Layer {
  return all.layer(value);
}

/**
 * Creates the model that a model's `config` describes, with new weights.
 * @throws UnrollError `format` for an unknown class
 */
export function modelFromConfig(config: unknown): Network {
  return all.model(config);
}

function classesIn(exports: Record<string, unknown>): ModelPart[] {
  return Object.values(exports).filter(
    (value): value is ModelPart => typeof value === 'function' && Object.hasOwn(value, 'className'),
  );
}
