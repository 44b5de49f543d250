/**
 * Models from their configs. The classes that may be named are those exported by ./cells and ./layers, the models
 * themselves, and what the user has registered.
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
 * The cell that `{ className, config }` describes, with new weights.
 * @throws UnrollError `format` naming a class that is not known
 */
export function cellFromConfig(value: unknown): Cell {
  return all.cell(value);
}

/**
 * The layer (or model) that `{ className, config }` describes, with new weights.
 * @throws UnrollError `format` naming a class that is not known
 */
export function layerFromConfig(value: unknown): Layer {
  return all.layer(value);
}

/**
 * The model that a model's `config` describes, with new weights.
 * @throws UnrollError `format` naming a class that is not known
 */
export function modelFromConfig(config: unknown): Network {
  return all.model(config);
}

function classesIn(exports: Record<string, unknown>): ModelPart[] {
  return Object.values(exports).filter(
    (value): value is ModelPart => typeof value === 'function' && Object.hasOwn(value, 'className'),
  );
}
