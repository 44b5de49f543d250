/** The formats `.keras` (Keras 3, and Keras 2 from 2.12) and `.h5`. */
import { formatShape, shapeError, UnrollError } from '@unroll/core';
import { decodeUtf8, type Json, type JsonObject, parseStrictJson } from '@unroll/core/internal';
import type { Network } from '@unroll/nn';
import { fromZip } from '../../zip.js';
import type { FileDescription, ImportedModel, ModelFormat } from '../format.js';
import { type Hdf5Reader, isHdf5, readHdf5 } from '../hdf5/read.js';
import { buildImported, emptyReport } from '../imported.js';
import { type ByteSource, readAll } from '../source.js';
import { compileFrom } from './compile-in.js';
import { describeModel } from './describe.js';
import { classNameOf, isObject } from './json.js';
import { plainClassName } from './layer-types.js';
import { translate } from './model-in.js';
import { exportModel } from './model-out.js';
import { isModel, type TranslatedModel } from './model-parts.js';
import { optimizerFrom, type TrainableParameter } from './optimizer-in.js';
import { dialectOf, type ImportContext } from './options.js';
import { type ImportedArrays, readWeights } from './weights-in.js';
import { writeH5, writeKeras } from './write.js';

const FILES = ['config.json', 'metadata.json', 'model.weights.h5'];

/** The parts of both formats, except the weights. */
interface KerasFile {
  version: string;
  model: Json;
  training: Json;
}

export const kerasFormat: ModelFormat = {
  name: 'keras',
  title: 'a Keras model',
  recognises: (head) => head[0] === 0x50 && head[1] === 0x4b && includesText(head, 'metadata.json'),
  async describe(source) {
    const { file, weights } = await openKeras(source);
    return readHdf5(weights, source.name, (h5) => describeModel('keras', file.version, file.model, h5));
  },
  async read(source) {
    const { file, weights } = await openKeras(source);
    return readHdf5(weights, source.name, (h5) => importModel(file, h5, source.name));
  },
  write: (model, options = {}) => writeKeras(model, options),
};

export const h5Format: ModelFormat = {
  name: 'h5',
  title: 'a Keras HDF5 file',
  recognises: isHdf5,
  async describe(source): Promise<FileDescription> {
    return readHdf5(await readAll(source), source.name, (h5) => {
      const file = openH5(h5);
      return describeModel('h5', file.version, file.model, h5);
    });
  },
  async read(source, { model } = {}): Promise<ImportedModel> {
    return readHdf5(await readAll(source), source.name, (h5) => {
      const file = openH5(h5);
      if (model) return loadWeights(model, h5);
      if (file.model !== null) return importModel(file, h5, source.name);
      throw new UnrollError(
        'format',
        `${source.name} has weights, but no model. Build the model in Unroll and pass it: { model }.`,
      );
    });
  },
  write: (model, options = {}) => writeH5(model, options),
};

const includesText = (bytes: Uint8Array, text: string): boolean =>
  new TextDecoder('latin1').decode(bytes).includes(text);

async function openKeras(source: ByteSource): Promise<{ file: KerasFile; weights: Uint8Array }> {
  const files = await fromZip(await readAll(source), FILES);
  const part = (name: string): Uint8Array => {
    const bytes = files.get(name);
    if (bytes) return bytes;
    throw new UnrollError('format', `${source.name} is not a Keras model: it has no ${name}.`, { name });
  };
  const json = (name: string): Json => parseStrictJson(decodeUtf8(part(name), name), name);
  const config = json('config.json');
  const metadata = json('metadata.json');
  const version = isObject(metadata) ? metadata.keras_version : null;
  const training = isObject(config) ? (config.compile_config ?? null) : null;
  return {
    file: { version: typeof version === 'string' ? version : '', model: config, training },
    weights: part('model.weights.h5'),
  };
}

function openH5(h5: Hdf5Reader): KerasFile {
  const json = (name: string): Json => {
    const text = h5.strings('/', name)?.[0];
    return text === undefined ? null : parseStrictJson(text, name);
  };
  const version = h5.strings('/', 'keras_version') ?? h5.strings('/model_weights', 'keras_version');
  return { version: version?.[0] ?? '', model: json('model_config'), training: json('training_config') };
}

function importModel(
  { version, model: config, training }: KerasFile,
  h5: Hdf5Reader,
  name: string,
): ImportedModel {
  const report = emptyReport();
  const context: ImportContext = { version: dialectOf(version), report, rescaled: false };
  const translated = translateModel(config, context, name);
  const arrays = readWeights(h5, translated);
  for (const { name: layer } of translated.layers) report.mapped.push({ from: layer, to: layer });
  const inputs = inputShapesOf(config as JsonObject, translated);
  const model = buildImported(
    { className: translated.className, config: translated.config },
    arrays,
    name,
    inputs,
  );
  const compile = compileFrom(training, report);
  const optimizer = optimizerFrom({
    ...{ training, h5, report },
    parameters: trainableParameters(translated, arrays),
    stateMismatch: context.rescaled ? 'the weights were converted' : null,
  });
  return { model, report, optimizer, compile };
}

/** Loads the weights of a file into a model that has the same layers. */
function loadWeights(model: Network, h5: Hdf5Reader): ImportedModel {
  const arrays = readWeights(h5, exportModel(model), true);
  const report = emptyReport();
  const weights = model.parameters.map(({ name, shape }) => {
    const array = arrays.get(name);
    if (!array) throw new UnrollError('format', `The file has no values for ${name}.`, { name });
    report.mapped.push({ from: array.from, to: name });
    if (formatShape(array.shape) === formatShape(shape)) return array;
    throw shapeError(
      `${array.from} must have shape ${formatShape(shape)} for ${name}, got ${formatShape(array.shape)}.`,
      { name, expected: shape, got: array.shape },
    );
  });
  model.setWeights(weights);
  return { model, report, optimizer: null, compile: null };
}

/** Returns the trainable parameters in the order of Keras's optimizers. */
function trainableParameters({ weights }: TranslatedModel, arrays: ImportedArrays): TrainableParameter[] {
  return weights
    .filter(({ trainable }) => trainable)
    .flatMap(({ parameters, fixed = 0 }) => parameters.slice(0, parameters.length - fixed))
    .map((name) => ({ name, shape: arrays.get(name)?.shape ?? [] }));
}

/** Translates a model. @throws UnrollError `value` if it is neither a Sequential nor a functional model */
export function translateModel(config: Json, context: ImportContext, name: string): TranslatedModel {
  const className = plainClassName(classNameOf(config) ?? '');
  if (!isModel(className)) {
    throw new UnrollError(
      'value',
      `${name} cannot be imported: its model class ${className || '(none)'} defines call() in Python, which is never executed. Build it as a Sequential or a functional model, and export it again.`,
      { className },
    );
  }
  return translate(config, context) as TranslatedModel;
}

/** Returns the shape with which a sequential model without InputLayer was built; undefined for other models. */
function inputShapesOf(config: JsonObject, { config: modelConfig }: TranslatedModel): number[][] | undefined {
  if (modelConfig.inputShape !== undefined || modelConfig.inputs !== undefined) return undefined;
  const build = isObject(config.build_config) ? config.build_config.input_shape : null;
  if (Array.isArray(build)) return [build.map((extent) => (typeof extent === 'number' ? extent : -1))];
  throw new UnrollError(
    'format',
    'The file has no input shape. Build the model before it is saved: model.build(...).',
  );
}
