/**
 * Registry of custom layer and cell classes, which configs refer to by name. Unknown names are rejected, and nothing in
 * a config is ever executed.
 */
import { UnrollError } from '@unroll/core';
import type { Cell, CellClass } from './cells/cell.js';
import type { Layer } from './layer.js';

/** The config of a layer or cell: its class name and its options. */
export interface ClassConfig {
  className: string;
  config: Record<string, unknown>;
}

/** Creates the layers and cells of nested configs. */
export interface BuildTools {
  layer(config: unknown): Layer;
  cell(config: unknown): Cell;
}

/** A layer class that configs can refer to. Its constructor takes the options, unless it has a static `fromConfig`. */
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
 * `static readonly className = '...'`, and a constructor that takes its `config` (or a static `fromConfig`).
 */
export function registerCell(cell: CellClass): void {
  cells.set(checkedName(cell), cell);
}

/** @internal Returns the registered class with this name. */
export function registered(kind: 'layer' | 'cell', className: string): LayerClass | CellClass | undefined {
  return (kind === 'layer' ? layers : cells).get(className);
}

/** Returns `value` as a {@link ClassConfig}. @throws UnrollError `format` if it is something else */
export function classConfig(kind: string, value: unknown): ClassConfig {
  const { className, config } = (value ?? {}) as Partial<ClassConfig>;
  if (typeof className === 'string' && typeof config === 'object' && config !== null)
    return { className, config };
  throw new UnrollError(
    'format',
    `A ${kind} config must be an object { className, config }, got ${JSON.stringify(value)?.slice(0, 80)}.`,
  );
}

/** Returns the error for an unknown class. */
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

/** Returns the name of a class. @throws UnrollError `value` if it has none */
function checkedName({ className }: { readonly className: string }): string {
  if (typeof className === 'string' && className !== '' && className !== 'Layer') return className;
  throw new UnrollError('value', "A registered class needs a name: static readonly className = '...'.");
}
