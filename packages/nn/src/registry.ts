/**
 * Maps class names in configs to layers and cells. Unroll's classes are known; `registerLayer` and `registerCell` add
 * custom classes. Unknown names are rejected: nothing in a config is ever executed.
 */
import { UnrollError } from '@unroll/core';
import type { Cell, CellClass } from './cells/cell.js';
import type { Layer } from './layer.js';

/** An entry of a config: a class name and its options. */
export interface ClassConfig {
  className: string;
  config: Record<string, unknown>;
}

/** Builds configs nested in another config. */
export interface BuildTools {
  layer(config: unknown): Layer;
  cell(config: unknown): Cell;
}

/** A layer class that configs can name: created by its constructor from the options, or by its static `fromConfig`. */
export interface LayerClass {
  readonly className: string;
  new (...options: never[]): Layer;
  fromConfig?(config: Record<string, unknown>, build: BuildTools): Layer;
}

const layers = new Map<string, LayerClass>();
const cells = new Map<string, CellClass>();

/**
 * Registers a custom layer class, so that models with it can be loaded. The class needs
 * `static readonly className = '...'`, and a constructor that takes its options (or a static `fromConfig`).
 */
export function registerLayer(layer: LayerClass): void {
  layers.set(checkedName(layer), layer);
}

/**
 * Registers a custom cell class, so that models with it can be loaded. The class needs
 * `static readonly className = '...'`, and a constructor that takes its `config`.
 */
export function registerCell(cell: CellClass): void {
  cells.set(checkedName(cell), cell);
}

/** @internal The registered class of that name. */
export function registered(kind: 'layer' | 'cell', className: string): LayerClass | CellClass | undefined {
  return (kind === 'layer' ? layers : cells).get(className);
}

/** Checks a {@link ClassConfig}. @throws UnrollError `format` */
export function classConfig(kind: string, value: unknown): ClassConfig {
  const { className, config } = (value ?? {}) as Partial<ClassConfig>;
  if (typeof className === 'string' && typeof config === 'object' && config !== null)
    return { className, config };
  throw new UnrollError(
    'format',
    `This is not the config of a ${kind}: ${JSON.stringify(value)?.slice(0, 80)}.`,
  );
}

/** The error for an unknown class. */
export function unknownClass(
  kind: 'layer' | 'cell',
  className: string,
  known: readonly string[],
): UnrollError {
  const register = kind === 'layer' ? 'registerLayer' : 'registerCell';
  return new UnrollError(
    'format',
    `There is no ${kind} class "${className}". If it is a custom class, call ${register}(${className}) before loading. ` +
      `Known classes: ${known.join(', ')}.`,
    { className, known },
  );
}

function checkedName(made: { readonly className: string }): string {
  if (typeof made.className === 'string' && made.className !== '' && made.className !== 'Layer')
    return made.className;
  throw new UnrollError('value', "A registered class needs a name: static readonly className = '...'.");
}
