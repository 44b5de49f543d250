/**
 * The format `layers-model` of TensorFlow.js: the layers in `model.json`, and the weights in other files. (The other format,
 * `graph-model`, has TensorFlow operations instead of layers, and cannot be imported.)
 */
import { UnrollError, valueError } from '@unroll/core';
import { decodeUtf8, type Json, type JsonObject, parseStrictJson } from '@unroll/core/internal';
import type { FileDescription, ImportedModel, ModelFormat } from '../format.js';
import { buildImported, emptyReport } from '../imported.js';
import { compileFrom } from '../keras/compile-in.js';
import { partsOf } from '../keras/describe.js';
import { isObject, objectIn } from '../keras/json.js';
import { translateModel } from '../keras/keras.js';
import { dialectOf, type ImportContext } from '../keras/options.js';
import { assignWeights } from '../keras/weights-in.js';
import { type ByteSource, readAll } from '../source.js';
import { manifestOf, readManifest, type WeightGroupFiles } from './manifest.js';

interface TfjsFile {
  version: string;
  model: JsonObject;
  training: Json;
  manifest: WeightGroupFiles[];
}

export const tfjsFormat: ModelFormat = {
  name: 'tfjs',
  title: 'a TensorFlow.js model',
  recognises(head) {
    const text = new TextDecoder('latin1').decode(head);
    return /^\s*\{/.test(text) && /"(modelTopology|weightsManifest)"|"(layers|graph)-model"/.test(text);
  },
  async describe(source): Promise<FileDescription> {
    const { model, manifest, version } = await openTfjs(source);
    const parts = partsOf(model, dialectOf(version));
    return {
      format: 'tfjs',
      title: `TensorFlow.js (layers-model), ${parts.length} layers`,
      parts,
      tensors: manifest.flatMap(({ weights }) =>
        weights.map(({ name, shape, storedType }) => ({ name, shape, dtype: storedType })),
      ),
      facts: version ? [{ name: 'Keras', value: version }] : [],
    };
  },
  async read(source, { files } = {}): Promise<ImportedModel> {
    const { version, model: config, training, manifest } = await openTfjs(source);
    const report = emptyReport();
    const context: ImportContext = { version: dialectOf(version), report, rescaled: false };
    const translated = translateModel(config, context, source.name);
    const all = await readManifest(source, manifest, files);
    const optimizerCount = all.filter(({ isOptimizer }) => isOptimizer).length;
    if (optimizerCount > 0) {
      const reason = 'training continues with a new state; predictions do not depend on it';
      report.dropped.push({ name: `state of the optimizer (${optimizerCount} arrays)`, reason });
    }
    const weights = all.filter(({ isOptimizer }) => !isOptimizer).map(({ array }) => array);
    const arrays = assignWeights(translated, weights);
    for (const { name } of translated.layers) report.mapped.push({ from: name, to: name });
    const model = buildImported(
      { className: translated.className, config: translated.config },
      arrays,
      source.name,
    );
    return { model, report, optimizer: null, compile: compileFrom(training, report) };
  },
};

async function openTfjs(source: ByteSource): Promise<TfjsFile> {
  const text = decodeUtf8(await readAll(source), source.name);
  const file = objectIn(parseStrictJson(text, source.name), source.name);
  if (file.format === 'graph-model') {
    throw valueError(
      `${source.name} cannot be imported: it is a graph model, which consists of TensorFlow operations. Convert the Keras model to the format layers-model: tensorflowjs_converter --input_format=keras.`,
    );
  }
  const topology = objectIn(file.modelTopology, `modelTopology of ${source.name}`);
  // Converted models have their config in model_config.
  const model = isObject(topology.model_config) ? topology.model_config : topology;
  const version = topology.keras_version;
  if (!isObject(model.config) && !Array.isArray(model.config))
    throw new UnrollError('format', `modelTopology of ${source.name} has no layers.`);
  return {
    version: typeof version === 'string' ? version : '',
    // Old files have the list of layers as config.
    model: Array.isArray(model.config)
      ? { ...model, config: { name: 'model', layers: model.config } }
      : model,
    training: topology.training_config ?? file.trainingConfig ?? null,
    manifest: manifestOf(file.weightsManifest ?? []),
  };
}
