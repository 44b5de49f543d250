/**
 * How configs become layers and cells again. Configs name classes; the classes of Unroll are known, those of your own are
 * made known by `registerLayer` and `registerCell`. A name that is not known is refused: nothing in a config is ever run.
 */
import { UnrollError } from '@unroll/core';
import type { Cell, CellClass } from './cells/cell.js';
import type { Layer } from './layer.js';

/** What a config's entry holds: a class by name, and its options. */
export interface ClassConfig {
  className: string;
  config: Record<string, unknown>;
}

/** Builds what lies inside another config. */
export interface BuildTools {
  layer(config: unknown): Layer;
  cell(config: unknown): Cell;
}

/** A class of layers that configs can name: created from its options, or by its own `fromConfig`. */
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

/** A {@link ClassConfig}, checked. @throws UnrollError `format` */
export function classConfig(kind: string, value: unknown): ClassConfig {
  const { className, config } = (value ?? {}) as Partial<ClassConfig>;
  if (typeof className === 'string' && typeof config === 'object' && config !== null)
    return { className, config };
  throw new UnrollError(
    'format',
    `This is not the config of a ${kind}: ${JSON.stringify(value)?.slice(0, 80)}.`,
  );
}

/** The error for a class that is not known. */
export function unknownClass(
  kind: 'layer' | 'cell',
  className: string,
  known: readonly string[],
): UnrollError {
  const register = kind === 'layer' ? 'registerLayer' : 'registerCell';
  return new UnrollError(
    'format',
    `There is no ${kind} class "${className}". If it is your own, call ${register}(${className}) before loading. ` +
      `Known are ${known.join(', ')}.`,
    { className, known },
  );
}

function checkedName(made: { readonly className: string }): string {
  if (typeof made.className === 'string' && made.className !== '' && made.className !== 'Layer')
    return made.className;
  throw new UnrollError('value', "A registered class needs a name: static readonly className = '...'.");
}
