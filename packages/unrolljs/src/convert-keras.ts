/** Imports Keras and TensorFlow.js models, and exports models to Keras. */
import { checkOptions } from '@unroll/core/internal';
import type { ExportOptions, OptimizerRecord } from '@unroll/formats/convert';
import type { Network } from '@unroll/nn';
import { resolveOptimizer } from '@unroll/train';
import { compileOptionsToJson } from './compile-options.js';
import { exportTo, type Imported, importOneOf, type ModelSource } from './convert-model.js';
import { trainingOf } from './trainable.js';

export interface ImportKerasOptions {
  /** For files that contain weights without layers (`.weights.h5`): the model to load them into. */
  model?: Network;
  /**
   * For a `model.json` that is not beside its weights, such as a file dropped on a page: the contents of the weights files
   * by name.
   */
  files?: ReadonlyMap<string, Uint8Array>;
}

/**
 * Reads a Keras model (`.keras`, `.h5`) or the `model.json` of TensorFlow.js. Nothing in the file is executed.
 * @throws UnrollError `format` for a damaged file, `value` with the name of a layer that Unroll does not have
 */
export async function importKeras(source: ModelSource, options: ImportKerasOptions = {}): Promise<Imported> {
  checkOptions('importKeras', options, { model: true, files: true });
  return importOneOf(source, ['keras', 'h5', 'tfjs'], options);
}

export interface ExportKerasOptions {
  /** `keras`: the format of Keras 3. `h5`: HDF5. Default `keras`. */
  format?: 'keras' | 'h5';
  /** Write the compile options and the state of the optimizer. Default true. */
  training?: boolean;
}

/**
 * Writes a model as a Keras file, by default with its compile options and the state of its optimizer.
 * @throws UnrollError `value` for a layer that Keras does not have, `state` for a model that is not built
 */
export async function exportKeras(model: Network, options: ExportKerasOptions = {}): Promise<Uint8Array> {
  checkOptions('exportKeras', options, { format: ['keras', 'h5'], training: 'boolean' });
  const { format = 'keras', training = true } = options;
  const files = await exportTo(model, format, training ? await trainingRecord(model) : {});
  return files.get('') ?? new Uint8Array();
}

/** Returns the compile options and the optimizer's state as the export options of @unroll/formats; empty before `compile`. */
async function trainingRecord(model: Network): Promise<ExportOptions> {
  const training = trainingOf(model);
  if (!training) return {};
  const { memory, ...options } = training;
  const { loss, metrics, lossWeights } = compileOptionsToJson(options);
  const { name, config } = resolveOptimizer(training.optimizer ?? 'adam');
  const state = await memory.state();
  return {
    compile: { loss, metrics, ...(lossWeights !== undefined && { lossWeights }) },
    optimizer: {
      ...{ name, options: config },
      iterations: state?.updates ?? 0,
      slots: (state?.slots ?? {}) as OptimizerRecord['slots'],
    },
  };
}
