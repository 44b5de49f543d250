/**
 * Creates models from configs with a given set of classes. The caller chooses the classes, so that a bundle need not
 * contain classes that its model does not use; from-config.ts uses all of them. Unknown class names are rejected:
 * nothing in a config is ever executed.
 */
import { UnrollError } from '@unroll/core';
import type { Cell, CellClass } from './cells/cell.js';
import { Layer } from './layer.js';
import { Recurrent } from './layers/recurrent.js';
import { Network } from './network.js';
import { type BuildTools, classConfig, type LayerClass, registered, unknownClass } from './registry.js';

/** A class that configs can name. */
export type ModelPart = LayerClass | CellClass;

/** {@link BuildTools} for whole models. */
export interface Builder extends BuildTools {
  /** @throws UnrollError `format` for an unknown class; the message names it */
  model(config: unknown): Network;
}

/**
 * Creates models from the given classes and the registered ones. A cell class also provides the layer over it:
 * LSTMCell provides `LSTM`.
 */
export function builder(parts: readonly ModelPart[]): Builder {
  const layers = new Map<string, LayerClass>();
  const cells = new Map<string, CellClass>();
  for (const part of parts) {
    if (part.prototype instanceof Layer) layers.set(part.className, part as LayerClass);
    else cells.set(part.className, part as CellClass);
  }
  const cellOver = (layer: string): CellClass | undefined => cells.get(`${layer}Cell`) ?? cells.get(layer);

  const tools: Builder = {
    cell(value): Cell {
      const { className, config } = classConfig('cell', value);
      const found = (registered('cell', className) as CellClass | undefined) ?? cells.get(className);
      if (!found) throw unknownClass('cell', className, [...cells.keys()]);
      return found.fromConfig ? found.fromConfig(config, tools) : new found(config as never);
    },
    layer(value): Layer {
      const { className, config } = classConfig('layer', value);
      const own = registered('layer', className) as LayerClass | undefined;
      const cell = own ? undefined : cellOver(className);
      if (cell) return Recurrent.over(cell as never, config as never);
      const found = own ?? layers.get(className);
      if (!found) {
        const overCells = [...cells.keys()].map((name) => name.replace(/Cell$/, ''));
        throw unknownClass('layer', className, [...overCells, ...layers.keys()]);
      }
      return found.fromConfig ? found.fromConfig(config, tools) : new found(config as never);
    },
    model(config): Network {
      const made = tools.layer(config);
      if (made instanceof Network) return made;
      throw new UnrollError(
        'format',
        `Expected the config of a model, got that of a layer (${made.className}).`,
      );
    },
  };
  return tools;
}
