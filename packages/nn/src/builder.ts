/**
 * Creates models from configs, with a given set of classes. Bundles for inference pass only the classes that their
 * model uses; from-config.ts passes all of them. Unknown class names are rejected, and nothing in a config is ever
 * executed.
 */
import { UnrollError } from '@unroll/core';
import type { Cell, CellClass } from './cells/cell.js';
import { Layer } from './layer.js';
import { Recurrent } from './layers/recurrent.js';
import { Network } from './network.js';
import { type BuildTools, classConfig, type LayerClass, registered, unknownClass } from './registry.js';

/** A layer or cell class that configs can refer to by name. */
export type ModelPart = LayerClass | CellClass;

/** Creates layers, cells and models from configs. */
export interface Builder extends BuildTools {
  /** Creates a model. @throws UnrollError `format` if a class is unknown, or if the config is of a layer, not of a model */
  model(config: unknown): Network;
}

/**
 * Returns a builder for the given classes and for registered classes. A cell class also provides its layer: LSTMCell
 * provides `LSTM`.
 */
export function builder(parts: readonly ModelPart[]): Builder {
  const layers = new Map<string, LayerClass>();
  const cells = new Map<string, CellClass>();
  for (const part of parts) {
    if (part.prototype instanceof Layer) layers.set(part.className, part as LayerClass);
    else cells.set(part.className, part as CellClass);
  }
  const cellOfLayer = (layer: string): CellClass | undefined => cells.get(`${layer}Cell`) ?? cells.get(layer);

  const tools: Builder = {
    cell(value): Cell {
      const { className, config } = classConfig('cell', value);
      const found = (registered('cell', className) as CellClass | undefined) ?? cells.get(className);
      if (!found) throw unknownClass('cell', className, [...cells.keys()]);
      return found.fromConfig ? found.fromConfig(config, tools) : new found(config as never);
    },
    layer(value): Layer {
      const { className, config } = classConfig('layer', value);
      const custom = registered('layer', className) as LayerClass | undefined;
      const cell = custom ? undefined : cellOfLayer(className);
      if (cell) return Recurrent.over(cell as never, config as never);
      const found = custom ?? layers.get(className);
      if (!found) {
        const cellLayers = [...cells.keys()].map((name) => name.replace(/Cell$/, ''));
        throw unknownClass('layer', className, [...cellLayers, ...layers.keys()]);
      }
      return found.fromConfig ? found.fromConfig(config, tools) : new found(config as never);
    },
    model(config): Network {
      const layer = tools.layer(config);
      if (layer instanceof Network) return layer;
      throw new UnrollError(
        'format',
        `Expected the config of a model, got the config of a layer (${layer.className}).`,
      );
    },
  };
  return tools;
}
