/**
 * unrolljs/convert: models of other tools, in and out.
 *
 *     import { importKeras } from 'unrolljs/convert';
 *
 *     const { model, report } = await importKeras('demand.keras');
 *     await model.predict(x);
 */

import { ready, UnrollError, valueError } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import type { OptimizerRecord } from '@unroll/formats/convert';
import {
  type ByteSource,
  blobSource,
  bytesSource,
  formatNamed,
  formatOfFile,
  type ImportOptions,
  type ImportReport,
} from '@unroll/formats/convert';
import { Network } from '@unroll/nn';
import { resolveOptimizer } from '@unroll/train';
import { sourceAt } from '#files';
import { compiledToJson } from './compiled.js';
import { type CompileOptions, continueTraining, type Trainable, trainable, trainingOf } from './trainable.js';

export type { ImportReport } from '@unroll/formats/convert';

/** A path (in Node), a URL (in a page), the bytes of a file, or a File that was dropped on a page. */
export type ModelSource = string | Uint8Array | (Blob & { readonly name?: string });

export type KerasImportOptions = Pick<ImportOptions, 'model' | 'files'>;

export interface Imported {
  /** The model. If the file has a loss and an optimizer that Unroll has, it is compiled, and continues training with the optimizer's state. */
  model: Network & Trainable;
  report: ImportReport;
}

async function sourceOf(source: ModelSource): Promise<ByteSource> {
  if (typeof source === 'string') return sourceAt(source);
  return source instanceof Uint8Array ? bytesSource(source) : blobSource(source);
}

/**
 * Reads a model of Keras: `.keras`, `.h5`, or the `model.json` of TensorFlow.js. Nothing in the file is executed.
 * @param options `model`: for files that contain weights without a model (`.weights.h5`), the model to load them into.
 * `files`: the weight files of a `model.json` that is given as bytes, by name
 * @throws UnrollError `format` for a damaged file, `value` for a layer that Unroll does not have, by name
 */
export async function importKeras(source: ModelSource, options: KerasImportOptions = {}): Promise<Imported> {
  checkOptions('importKeras', options, { model: true, files: true });
  await ready();
  const file = await sourceOf(source);
  const format = await formatOfFile(file);
  if (!['keras', 'h5', 'tfjs'].includes(format.name))
    throw new UnrollError('format', `${file.name} is ${format.title}, not a file of Keras.`);
  const { model, report, optimizer, compile } = await format.read(file, options);
  const result = 'compile' in model ? (model as Network & Trainable) : trainable(model);
  if (compile && optimizer) {
    const settings = { ...compile, optimizer: { name: optimizer.name, ...optimizer.options } };
    result.compile(settings as CompileOptions);
    if (optimizer.iterations > 0)
      continueTraining(result, { updates: optimizer.iterations, slots: optimizer.slots });
  }
  return { model: result, report };
}

/**
 * Writes a model as a file of Keras 3, with its compile options and the state of its optimizer.
 * @param options `format`: `keras` (default) or `h5`; `training`: false leaves out the compile options. Default true
 * @throws UnrollError `value` for a layer that Keras does not have, `state` for a model that is not built
 */
export async function exportKeras(
  model: Network,
  options: { format?: 'keras' | 'h5'; training?: boolean } = {},
): Promise<Uint8Array> {
  checkOptions('exportKeras', options, { format: ['keras', 'h5'], training: 'boolean' });
  const { format = 'keras', training = true } = options;
  if (!(model instanceof Network)) throw valueError('exportKeras takes a model of sequential() or model().');
  await ready();
  const { write } = await formatNamed(format);
  const files = await write?.(model, training ? await trainingRecord(model) : {});
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
