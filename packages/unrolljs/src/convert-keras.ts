/** Keras, in and out. */
import { ready, valueError } from '@unroll/core';
import { formatNamed, type ImportOptions, type OptimizerRecord } from '@unroll/formats/convert';
import { Network } from '@unroll/nn';
import { resolveOptimizer } from '@unroll/train';
import { compiledToJson } from './compiled.js';
import { type Imported, importOneOf, type ModelSource } from './convert-model.js';
import { trainingOf } from './trainable.js';

/**
 * Reads a model of Keras: `.keras`, `.h5`, or the `model.json` of TensorFlow.js. Nothing in the file is executed. If the file
 * has a loss and an optimizer that Unroll has, the model is compiled, and continues training with the optimizer's state.
 * @param options `model`: for files that contain weights without a model (`.weights.h5`), the model to load them into
 * @throws UnrollError `format` for a damaged file, `value` for a layer that Unroll does not have, by name
 */
export async function importKeras(source: ModelSource, options?: ImportOptions): Promise<Imported> {
  return importOneOf(source, ['keras', 'h5', 'tfjs'], options);
}

/**
 * Writes a model as a file of Keras 3, with its compile options and the state of its optimizer.
 * @param options `format`: `keras` (default) or `h5`
 * @throws UnrollError `value` for a layer that Keras does not have, `state` for a model that is not built
 */
export async function exportKeras(
  model: Network,
  { format = 'keras' }: { format?: 'keras' | 'h5' } = {},
): Promise<Uint8Array> {
  if (!(model instanceof Network)) throw valueError('exportKeras takes a model of sequential() or model().');
  if (format !== 'keras' && format !== 'h5')
    throw valueError(`exportKeras: format must be "keras" or "h5", got "${String(format)}".`);
  await ready();
  const { write } = await formatNamed(format);
  const files = await write?.(model, await trainingRecord(model));
  return files?.get('') as Uint8Array;
}

/** Returns the compile options and the optimizer's state in the form that the formats write. */
async function trainingRecord(
  model: Network,
): Promise<{ optimizer?: OptimizerRecord; compile?: { loss?: unknown; metrics?: unknown } }> {
  const training = trainingOf(model);
  if (!training) return {};
  const { memory, ...options } = training;
  const { loss, metrics, lossWeights } = compiledToJson(options);
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
