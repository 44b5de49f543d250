/**
 * Unroll's artifact format: a trained model in a few files.
 *
 *   config.json        format, layers and their options, shapes of the loss's parameters, size and checksum of the weights
 *   model.safetensors  the weights of the model and of the loss, by parameter name
 *   training.json      optional: seed, metrics, fingerprint of the training data
 *   pipeline.json      optional: preprocessing and postprocessing (columns, scalers, vocabularies)
 *
 * Loading never executes anything from an artifact: layer classes are looked up by name, and unknown names are
 * rejected. The reader allocates memory only for data that the files contain, so a forged size has no effect.
 */
import {
  type FloatArray,
  formatShape,
  type Parameter,
  type Shape,
  UnrollError,
  valueError,
} from '@unroll/core';
import {
  crc32c,
  decodeUtf8,
  encodeUtf8,
  type Json,
  type JsonObject,
  parseStrictJson,
  readSafetensors,
  type StoredTensor,
  storeFloats,
  toFloat16Bits,
  writeSafetensors,
} from '@unroll/core/internal';
import { type Layer, modelFromConfig, Network, type WeightSource } from '@unroll/nn';
import { floatsOf } from './dtypes.js';

/** File contents by file name. */
export type ArtifactFiles = ReadonlyMap<string, Uint8Array>;

export interface ArtifactExtras {
  /** Content of `training.json`: any JSON value. */
  training?: unknown;
  /** Content of `pipeline.json`: any JSON value. */
  pipeline?: unknown;
  /** Parameters of the training loss, saved with the weights of the model. Default: none. */
  lossParameters?: readonly Parameter[];
  /**
   * Data type of the weights in the file. `float16` rounds to nearest (ties to even) and halves the file size.
   * Default `float32`.
   */
  weights?: 'float32' | 'float16';
}

export interface Artifact {
  model: Network;
  /** Content of `training.json`; null if the file is missing. */
  training: Json;
  /** Content of `pipeline.json`; null if the file is missing. */
  pipeline: Json;
  /** Parameters of the loss, by name. The values may share the memory of the files. */
  lossParameters: Record<string, { shape: Shape; values: FloatArray }>;
}

const FORMAT = 'unroll-artifact-1';
const CONFIG = 'config.json';
const WEIGHTS = 'model.safetensors';

/** All file names that an artifact may have. */
export const ARTIFACT_FILES: readonly string[] = [WEIGHTS, 'training.json', 'pipeline.json', CONFIG];

/**
 * Returns true for a zip whose first entry that is not a folder is a file of an artifact. (Keras zips begin with
 * metadata.json.)
 * @param head the first bytes of the zip. If they contain only folder entries, the result is true.
 */
export function isArtifactZip(head: Uint8Array): boolean {
  let at = 0;
  while (at + 30 <= head.length) {
    if (![0x50, 0x4b, 3, 4].every((byte, i) => head[at + i] === byte)) return false;
    const end = at + 30 + head[at + 26] + 256 * head[at + 27];
    if (at > 0 && end > head.length) break;
    const name = String.fromCharCode(...head.subarray(at + 30, end));
    if (!name.endsWith('/')) return ARTIFACT_FILES.includes(name.slice(name.lastIndexOf('/') + 1));
    at = end + head[at + 28] + 256 * head[at + 29];
  }
  return at > 0;
}

/**
 * Serialises a model to files. `config.json` comes last: if the files are written in this order, a new config is never
 * combined with old weights.
 * @throws UnrollError `state` for a model that is not built yet, `value` if two parameters have the same name or a
 * weight is outside the range of float16, `nan` for weights that are not finite
 */
export async function toArtifact(
  model: Network,
  { training, pipeline, lossParameters = [], weights: type = 'float32' }: ArtifactExtras = {},
): Promise<Map<string, Uint8Array>> {
  const stored = await storedWeights(model, lossParameters, type);
  const weights = writeSafetensors(stored, new Map([['format', FORMAT]]));
  const config = {
    format: FORMAT,
    model: model.config,
    ...(lossParameters.length > 0 && {
      lossParameters: Object.fromEntries(lossParameters.map(({ name, shape }) => [name, shape])),
    }),
    weights: { file: WEIGHTS, bytes: weights.length, crc32c: hex(crc32c(weights)) },
  };
  const files = new Map([[WEIGHTS, weights]]);
  if (training !== undefined) files.set('training.json', toJson(training));
  if (pipeline !== undefined) files.set('pipeline.json', toJson(pipeline));
  return files.set(CONFIG, toJson(config));
}

/** Returns the tensors of the weights file: the parameters of the model and of the loss. */
async function storedWeights(
  model: Network,
  lossParameters: readonly Parameter[],
  type: 'float32' | 'float16',
): Promise<Map<string, StoredTensor>> {
  if (type !== 'float32' && type !== 'float16') {
    throw valueError(`weights must be "float32" or "float16", got "${type}".`, { weights: type });
  }
  if (!model.built) {
    throw new UnrollError(
      'state',
      `${model.label} has no weights to save yet. Train it, or call build([[batch, ...]]) first.`,
    );
  }
  const stored = new Map<string, StoredTensor>();
  const parameters = [...model.parameters, ...lossParameters];
  const names = [...namesInFile(model), ...lossParameters.map(({ name }) => name)];
  // All reads begin before the first await, so all weights are from the same training step.
  const values = await Promise.all(parameters.map((parameter) => parameter.data()));
  for (const [i, { shape }] of parameters.entries()) {
    const name = names[i];
    if (stored.has(name)) {
      throw new UnrollError('value', `Two parameters are named "${name}". Give their layers other names.`, {
        name,
      });
    }
    checkFinite(name, values[i]);
    stored.set(
      name,
      type === 'float32' ? storeFloats(values[i], shape) : storeFloat16(values[i], shape, name),
    );
  }
  return stored;
}

/**
 * Returns the names under which a loaded model looks up its parameters. They differ from the names of the parameters if a
 * nested model was built before it became part of this model, because names contain the path from the outermost model.
 */
function namesInFile(model: Network): string[] {
  const names = model.parameters.map(({ name }) => name);
  if (!model.inputShapes || !containsModel(model)) return names;
  const copy = modelFromConfig(model.config);
  copy.build(model.inputShapes, null);
  return copy.parameters.map(({ name }) => name);
}

const containsModel = (layer: Layer): boolean =>
  layer.sublayers.some((inner) => inner instanceof Network || containsModel(inner));

function storeFloat16(values: ArrayLike<number>, shape: Shape, name: string): StoredTensor {
  return { dtype: 'F16', shape: [...shape], bytes: new Uint8Array(toFloat16Bits(values, name).buffer) };
}

function checkFinite(name: string, values: FloatArray): void {
  const at = values.findIndex((value) => !Number.isFinite(value));
  if (at < 0) return;
  throw new UnrollError(
    'nan',
    `Weight ${name} has the value ${values[at]} at index ${at}. A model that has diverged cannot be saved.`,
    { name, position: at, value: values[at] },
  );
}

const toJson = (value: unknown): Uint8Array => encodeUtf8(`${JSON.stringify(value, null, 2)}\n`);

const hex = (word: number): string => word.toString(16).padStart(8, '0');

/**
 * Restores a model from the files of an artifact.
 * @throws UnrollError `format` for missing or damaged files, or a layer class that is not registered (registerLayer)
 */
export function fromArtifact(files: ArtifactFiles): Artifact {
  return artifactOf(files, modelFromConfig);
}

/**
 * Like {@link fromArtifact}, but the caller passes the function that creates the model from its config. `loadWith` of
 * unrolljs/infer passes a function that knows only some layer classes, so that bundlers leave out all others.
 */
export function artifactOf(files: ArtifactFiles, modelOf: (config: unknown) => Network): Artifact {
  const config = objectOf(jsonOf(files, CONFIG, true), CONFIG);
  if (config.format !== FORMAT) {
    throw artifactError(`format must be "${FORMAT}", got ${JSON.stringify(config.format)?.slice(0, 80)}`, {
      format: config.format,
    });
  }
  const { tensors } = readSafetensors(checkedWeights(files, objectOf(config.weights, 'weights')));
  const weights = weightsOf(tensors);
  const lossParameters: Artifact['lossParameters'] = {};
  for (const [name, declared] of Object.entries(objectOf(config.lossParameters ?? {}, 'lossParameters'))) {
    const shape = tensors.get(name)?.shape;
    const [expected, actual] = [declared, shape].map((each) => JSON.stringify(each));
    if (!shape || expected !== actual) {
      throw artifactError(
        `the loss parameter "${name}" has the shape ${expected} in ${CONFIG}, but ${actual ?? 'no tensor'} in ${WEIGHTS}`,
        { name, shape, declared },
      );
    }
    lossParameters[name] = { shape, values: weights.values(name, shape) };
  }
  return {
    model: build(config.model, weights, modelOf),
    lossParameters,
    training: jsonOf(files, 'training.json', false),
    pipeline: jsonOf(files, 'pipeline.json', false),
  };
}

/** Returns the bytes of the weights file. Checks its name, size and checksum against the config. */
function checkedWeights(files: ArtifactFiles, { file, bytes, crc32c: sum }: JsonObject): Uint8Array {
  if (file !== WEIGHTS)
    throw artifactError(`the weights file must be "${WEIGHTS}", got ${JSON.stringify(file)}`, { file });
  const found = files.get(WEIGHTS);
  if (!found) throw artifactError(`${WEIGHTS} is missing`);
  if (found.length !== bytes || hex(crc32c(found)) !== sum) {
    throw artifactError(`${WEIGHTS} does not match ${CONFIG}: it is damaged, or belongs to another model`, {
      bytes: found.length,
      expected: bytes,
    });
  }
  return found;
}

type Tensors = ReadonlyMap<string, StoredTensor>;

/** The tensors of a file. `unused` contains the names of the tensors that have not been read. */
interface Weights extends WeightSource {
  values(name: string, shape: Shape): FloatArray;
  unused: Set<string>;
}

function weightsOf(tensors: Tensors): Weights {
  const unused = new Set(tensors.keys());
  const values = (name: string, shape: Shape): FloatArray => {
    unused.delete(name);
    return valuesIn(tensors, name, shape);
  };
  const formatOf = (name: string) => (tensors.get(name)?.dtype === 'F16' ? 'float16' : 'float32');
  return { values, formatOf, unused };
}

/**
 * Creates a model from a config and builds it with the weights of a file. The shape of each stored tensor is checked
 * before its parameter is created. Errors about wrong layer options become `format` errors.
 */
function build(config: Json | undefined, weights: Weights, modelOf: (config: unknown) => Network): Network {
  try {
    const model = modelOf(config);
    const shapes = model.inputShapes;
    if (!shapes?.every(isShape)) throw artifactError('its config has no input shape');
    model.build(shapes, weights);
    for (const name of weights.unused) throw artifactError(`${WEIGHTS} has an unused tensor "${name}"`);
    return model;
  } catch (error) {
    if (error instanceof UnrollError && error.code === 'format') throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw artifactError(
      `its config is not valid: ${why}`,
      error instanceof UnrollError ? { ...error.data } : {},
    );
  }
}

/**
 * Returns the values of a stored tensor.
 * @throws UnrollError `format` if the tensor is missing or has the wrong shape, or if a value is not finite
 */
function valuesIn(tensors: Tensors, name: string, shape: Shape): FloatArray {
  const stored = tensors.get(name);
  if (!stored) throw artifactError(`${WEIGHTS} has no tensor "${name}"`, { name });
  if (formatShape(stored.shape) !== formatShape(shape)) {
    throw artifactError(`"${name}" must have shape ${formatShape(shape)}, got ${formatShape(stored.shape)}`, {
      ...{ name, stored: stored.shape, expected: shape },
    });
  }
  const values = floatsOf(stored, name);
  let at = 0;
  while (at < values.length && Number.isFinite(values[at])) at++;
  if (at < values.length)
    throw artifactError(`"${name}" has the value ${values[at]} at index ${at}`, { name, position: at });
  return values;
}

/** True if all sizes are non-negative integers, or -1 (any size). */
function isShape(shape: Shape): boolean {
  return shape.every((extent) => Number.isSafeInteger(extent) && extent >= -1);
}

/** Parses a JSON file; returns null if the file is missing and not `required`. */
function jsonOf(files: ArtifactFiles, name: string, required: boolean): Json {
  const bytes = files.get(name);
  if (bytes) return parseStrictJson(decodeUtf8(bytes, name), name);
  if (required) throw artifactError(`${name} is missing`);
  return null;
}

function objectOf(value: Json | undefined, name: string): JsonObject {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw artifactError(`${name} must be a JSON object`);
}

/** Returns a `format` error. @param problem a clause without a full stop */
function artifactError(problem: string, data: Record<string, unknown> = {}): UnrollError {
  return new UnrollError('format', `This artifact cannot be read: ${problem.replace(/\.$/, '')}.`, data);
}
