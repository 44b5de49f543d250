/** Writes `.keras` and `.h5` files of Keras 3. */
import { encodeUtf8, type JsonObject } from '@unroll/core/internal';
import type { Network } from '@unroll/nn';
import { toZip } from '../../zip.js';
import type { ExportOptions } from '../format.js';
import { type Hdf5Writer, writeHdf5 } from '../hdf5/write.js';
import { type ExportedModel, exportModel } from './model-out.js';
import { type TrainingConfig, trainingTo, type Values, valuesOfParameter } from './training-out.js';

/** The version of Keras whose format is written. The files contain it. */
const KERAS_VERSION = '3.15.1';

const json = (value: unknown): Uint8Array => encodeUtf8(JSON.stringify(value));

async function valuesOf(model: Network): Promise<Values> {
  const { parameters } = model;
  const values = await Promise.all(parameters.map((parameter) => parameter.data()));
  return new Map(parameters.map((parameter, i) => [parameter.name, { parameter, values: values[i] }]));
}

export async function writeKeras(model: Network, options: ExportOptions): Promise<Map<string, Uint8Array>> {
  const exported = exportModel(model);
  const values = await valuesOf(model);
  const training = trainingTo(options, trainableNames(exported), values);
  const weights = await writeHdf5((file) => {
    writeLayers(file, exported, values);
    training?.arrays.forEach(({ shape, values: array, dtype }, i) => {
      file.dataset(`/optimizer/vars/${i}`, shape, array, dtype);
    });
  });
  const config: JsonObject = { ...exported.keras, ...(training && { compile_config: training.compile }) };
  const files = new Map([
    ['metadata.json', json({ keras_version: KERAS_VERSION, date_saved: '1980-01-01@00:00:00' })],
    ['config.json', json(config)],
    ['model.weights.h5', weights],
  ]);
  return new Map([['', toZip(files)]]);
}

function writeLayers(file: Hdf5Writer, { weights, seeds }: ExportedModel, values: Values): void {
  file.group('/layers');
  for (const { path, parameters } of weights) {
    parameters.forEach((name, i) => {
      const { parameter, values: array } = valuesOfParameter(values, name);
      file.dataset(`/${path}/vars/${i}`, parameter.shape, array);
    });
  }
  for (const path of seeds) file.dataset(`/${path}/vars/0`, [2], [0, 0], 'uint32');
}

/** Returns the names of the trainable parameters in the order of Keras. */
function trainableNames({ weights }: ExportedModel): string[] {
  return weights
    .filter(({ trainable }) => trainable)
    .flatMap(({ parameters, fixed = 0 }) => parameters.slice(0, parameters.length - fixed));
}

export async function writeH5(model: Network, options: ExportOptions): Promise<Map<string, Uint8Array>> {
  const exported = exportModel(model);
  const values = await valuesOf(model);
  const training = trainingTo(options, trainableNames(exported), values);
  const bytes = await writeHdf5((file) => {
    const { class_name, config } = exported.keras;
    file.strings('', 'keras_version', KERAS_VERSION);
    file.strings('', 'backend', 'unroll');
    file.strings('', 'model_config', JSON.stringify({ class_name, config }));
    file.strings('/model_weights', 'keras_version', KERAS_VERSION);
    file.strings('/model_weights', 'backend', 'unroll');
    file.strings(
      '/model_weights',
      'layer_names',
      exported.layers.map(({ name }) => name),
    );
    file.group('/model_weights/top_level_model_weights');
    file.strings('/model_weights/top_level_model_weights', 'weight_names', []);
    writeNamedLayers(file, exported, values);
    if (training) writeTraining(file, training);
  });
  return new Map([['', bytes]]);
}

/** Writes the arrays of each layer: first the trainable arrays, then the others. */
function writeNamedLayers(file: Hdf5Writer, { layers }: ExportedModel, values: Values): void {
  for (const { name, weights } of layers) {
    const entries = weights.flatMap(({ parameters, trainable, fixed = 0 }) =>
      parameters.map((parameter, i) => ({
        parameter,
        trainable: trainable && i < parameters.length - fixed,
      })),
    );
    const ordered = [
      ...entries.filter(({ trainable }) => trainable),
      ...entries.filter(({ trainable }) => !trainable),
    ];
    const names = ordered.map(({ parameter }) => `${name}/${parameter}`);
    file.group(`/model_weights/${name}`);
    file.strings(`/model_weights/${name}`, 'weight_names', names);
    for (const parameter of names) {
      const { parameter: stored, values: array } = valuesOfParameter(values, parameter);
      file.dataset(`/model_weights/${name}/${parameter}`, stored.shape, array);
    }
  }
}

function writeTraining(file: Hdf5Writer, { compile, arrays }: TrainingConfig): void {
  const { optimizer, ...others } = compile;
  file.strings('', 'training_config', JSON.stringify({ ...others, optimizer_config: optimizer }));
  if (arrays.length === 0) return;
  file.group('/optimizer_weights');
  file.strings(
    '/optimizer_weights',
    'weight_names',
    arrays.map(({ name }) => name),
  );
  for (const { name, shape, values, dtype } of arrays)
    file.dataset(`/optimizer_weights/${name}`, shape, values, dtype);
}
