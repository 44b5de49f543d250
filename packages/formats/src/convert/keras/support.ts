/** Lists the layers and options that the import and the export of Keras models support, for docs/convert-keras.md. */
import type { JsonObject } from '@unroll/core/internal';
import { emptyReport } from '../imported.js';
import type { NestedTranslator, TranslatedLayer } from './layer-types.js';
import { LAYERS } from './layers-in.js';
import { EXPORTED } from './layers-out.js';
import { KerasOptions } from './options.js';

export interface LayerSupport {
  /** Class name in Keras. */
  layer: string;
  /** Class name in Unroll. */
  unrollName: string;
  /** Options of Keras that the import translates. */
  options: string[];
  /** True if Unroll's layer can be exported. */
  isExported: boolean;
}

/** A config with which every layer can be translated. */
const SAMPLE: JsonObject = {
  ...{
    units: 1,
    filters: 1,
    kernel_size: 1,
    rate: 0,
    input_dim: 1,
    output_dim: 1,
    n: 1,
    dims: [1],
    target_shape: [1],
  },
  ...{
    negative_slope: 0.2,
    activation: 'tanh',
    layer: {},
    cell: { class_name: 'LSTMCell', config: { units: 1 } },
  },
};

/** Returns one row per layer of Keras, sorted by name. */
export function kerasSupport(): LayerSupport[] {
  const inner: TranslatedLayer = { className: 'LSTM', config: { name: 'inner' }, weights: [], masks: 'use' };
  const nested: NestedTranslator = { layer: () => inner };
  return Object.entries(LAYERS).map(([layer, translate]) => {
    const options = new KerasOptions(layer, SAMPLE, { version: 3, report: emptyReport(), rescaled: false });
    const { className } = translate(options, 'sample', nested);
    return {
      layer,
      unrollName: className,
      options: options.names,
      isExported: Object.hasOwn(EXPORTED, className),
    };
  });
}
