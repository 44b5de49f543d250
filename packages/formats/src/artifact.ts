/**
 * Unroll's own artifact: a trained model as a few files.
 *
 *   config.json        format, layers and their options, and a checksum of the weights
 *   model.safetensors  the weights, by the names of the parameters; those of a loss, if it has any, are named in the config
 *   training.json      how it was trained: seed, metrics, fingerprint of the data (optional)
 *   pipeline.json      what turns a raw row into tensors and back: columns, scalers, vocabularies (optional)
 *
 * Nothing in it is ever run. Layers are named, and names that are not known are refused; a reader makes
 * nothing that the files do not hold, so that a forged size costs no memory.
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
  toHalves,
  writeSafetensors,
} from '@unroll/core/internal';
import { modelFromConfig, type Network, type WeightSource } from '@unroll/nn';
import { floatsOf } from './dtypes.js';

/** Files by their names. */
export type ArtifactFiles = ReadonlyMap<string, Uint8Array>;

export interface ArtifactExtras {
  /** For `training.json`: anything that JSON holds. */
  training?: unknown;
  /** For `pipeline.json`: anything that JSON holds. */
  pipeline?: unknown;
  /** The parameters of the loss that the model was trained with, to be kept beside its weights. Default: none. */
  lossParameters?: readonly Parameter[];
  /** How the file holds the weights; `float16`, rounded to the nearest (ties to even), takes half the bytes. Default `float32`. */
  weights?: 'float32' | 'float16';
}

export interface Artifact {
  model: Network;
  /** Null where there is no such file. */
  training: Json;
  pipeline: Json;
  /** Parameters of the loss, by name. */
  lossParameters: Record<string, { shape: Shape; values: FloatArray }>;
}

const FORMAT = 'unroll-artifact-1';
const CONFIG = 'config.json';
const WEIGHTS = 'model.safetensors';

/** Every name that an artifact may have. */
export const ARTIFACT_FILES: readonly string[] = [WEIGHTS, 'training.json', 'pipeline.json', CONFIG];

/**
 * The files of a model. `config.json` comes last: who writes them in this order never leaves a new config
 * beside old weights. The model stays as it is.
 * @throws UnrollError `state` for a model that is not built yet, `value` where two parameters share a name or a
 * weight lies beyond float16, `nan` for weights that are not finite
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

async function storedWeights(
  model: Network,
  others: readonly Parameter[],
  type: 'float32' | 'float16',
): Promise<Map<string, StoredTensor>> {
  if (type !== 'float32' && type !== 'float16') {
    throw valueError(`weights must be "float32" or "float16", got "${type}".`, { weights: type });
  }
  if (!model.built) {
    throw new UnrollError(
      'state',
      `${model.label} has no weights to save yet: train it, or call build([[batch, ...]]) first.`,
    );
  }
  const stored = new Map<string, StoredTensor>();
  const parameters = [...model.parameters, ...others];
  // All reads begin before the first await: the weights are those of one moment.
  const all = await Promise.all(parameters.map((parameter) => parameter.data()));
  for (const [i, parameter] of parameters.entries()) {
    if (stored.has(parameter.name)) {
      throw new UnrollError(
        'value',
        `Two parameters are named "${parameter.name}". Give their layers other names.`,
        {
          name: parameter.name,
        },
      );
    }
    const values = checkedFinite(parameter.name, all[i]);
    const { name, shape } = parameter;
    stored.set(name, type === 'float32' ? storeFloats(values, shape) : storeHalves(values, shape, name));
  }
  return stored;
}

function storeHalves(values: ArrayLike<number>, shape: Shape, name: string): StoredTensor {
  return { dtype: 'F16', shape: [...shape], bytes: new Uint8Array(toHalves(values, name).buffer) };
}

function checkedFinite(name: string, values: FloatArray): FloatArray {
  const at = values.findIndex((value) => !Number.isFinite(value));
  if (at < 0) return values;
  throw new UnrollError(
    'nan',
    `Weight ${name} has the value ${values[at]} at position ${at}: a model that has diverged is not saved.`,
    { name, position: at, value: values[at] },
  );
}

const toJson = (value: unknown): Uint8Array => encodeUtf8(`${JSON.stringify(value, null, 2)}\n`);

const hex = (word: number): string => word.toString(16).padStart(8, '0');

/**
 * The model in an artifact's files.
 * @throws UnrollError `format` for files that are missing, damaged or of a class that is not known
 * (registerLayer)
 */
export function fromArtifact(files: ArtifactFiles): Artifact {
  return artifactOf(files, modelFromConfig);
}

/** {@link fromArtifact}. @param modelOf makes the model of its config, out of the classes that it knows */
export function artifactOf(files: ArtifactFiles, modelOf: (config: unknown) => Network): Artifact {
  const config = objectOf(jsonOf(files, CONFIG, true), CONFIG);
  if (config.format !== FORMAT) {
    throw bad(`its format is ${JSON.stringify(config.format)?.slice(0, 80)}, and "${FORMAT}" was expected`, {
      format: config.format,
    });
  }
  const { tensors } = readSafetensors(checkedWeights(files, objectOf(config.weights, CONFIG)));
  const weights = weightsOf(tensors);
  const lossParameters: Artifact['lossParameters'] = {};
  for (const [name, stated] of Object.entries(objectOf(config.lossParameters ?? {}, CONFIG))) {
    const shape = tensors.get(name)?.shape ?? [];
    if (JSON.stringify(stated) !== JSON.stringify(shape))
      throw bad(`the loss parameter "${name}" must have the shape of its tensor`, { name, shape, stated });
    lossParameters[name] = { shape, values: weights.values(name, shape) };
  }
  return {
    model: build(config.model, weights, modelOf),
    lossParameters,
    training: jsonOf(files, 'training.json', false),
    pipeline: jsonOf(files, 'pipeline.json', false),
  };
}

/** The bytes of the weights, if they are those that the config speaks of. */
function checkedWeights(files: ArtifactFiles, { file, bytes, crc32c: sum }: JsonObject): Uint8Array {
  if (file !== WEIGHTS)
    throw bad(`its weights are in ${JSON.stringify(file)}, and "${WEIGHTS}" was expected`, { file });
  const found = files.get(WEIGHTS);
  if (!found) throw bad(`there is no ${WEIGHTS}`);
  if (found.length !== bytes || hex(crc32c(found)) !== sum) {
    throw bad(
      `${WEIGHTS} is not the file that ${CONFIG} was written with: it is damaged, or of another model`,
      {
        bytes: found.length,
        expected: bytes,
      },
    );
  }
  return found;
}

type Tensors = ReadonlyMap<string, StoredTensor>;

/** The tensors of a file, handed out: `unused` holds those that nothing has asked for. */
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
 * The model of a config with the weights of a file: a parameter that the file does not hold as it should be is never made.
 * What layers say of wrong options becomes a `format` error.
 */
function build(config: Json | undefined, weights: Weights, modelOf: (config: unknown) => Network): Network {
  try {
    const model = modelOf(config);
    const shapes = model.inputShapes;
    if (!shapes?.every(isShape)) throw bad('the config does not say what shape the model takes');
    model.build(shapes, weights);
    for (const name of weights.unused)
      throw bad(`${WEIGHTS} has a tensor "${name}" that the model has no use for`);
    return model;
  } catch (error) {
    if (error instanceof UnrollError && error.code === 'format') throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw bad(`its config makes no model: ${why}`, error instanceof UnrollError ? { ...error.data } : {});
  }
}

function valuesIn(tensors: Tensors, name: string, shape: Shape): FloatArray {
  const stored = tensors.get(name);
  if (!stored) throw bad(`${WEIGHTS} has no tensor "${name}"`, { name });
  if (formatShape(stored.shape) !== formatShape(shape)) {
    throw bad(`"${name}" has shape ${formatShape(stored.shape)}, and the model has ${formatShape(shape)}`, {
      ...{ name, stored: stored.shape, expected: shape },
    });
  }
  const values = floatsOf(stored, name);
  const at = values.findIndex((value) => !Number.isFinite(value));
  if (at >= 0) throw bad(`"${name}" holds ${values[at]} at position ${at}`, { name, position: at });
  return values;
}

function isShape(shape: Shape): boolean {
  return shape.every((extent) => Number.isSafeInteger(extent) && extent >= -1);
}

function jsonOf(files: ArtifactFiles, name: string, needed: boolean): Json {
  const bytes = files.get(name);
  if (bytes) return parseStrictJson(decodeUtf8(bytes, name), name);
  if (needed) throw bad(`there is no ${name}`);
  return null;
}

function objectOf(value: Json | undefined, what: string): JsonObject {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw bad(`${what} does not hold what it should`);
}

/** @param what a clause without its full stop */
function bad(what: string, data: Record<string, unknown> = {}): UnrollError {
  return new UnrollError('format', `This artifact cannot be read: ${what.replace(/\.$/, '')}.`, data);
}
