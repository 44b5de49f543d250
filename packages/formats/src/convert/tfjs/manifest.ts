/** Reads the weights that a `model.json` of TensorFlow.js refers to. They may be quantised. */
import { type FloatArray, type Shape, UnrollError } from '@unroll/core';
import { fromFloat16Bits, type Json, type JsonObject, sizeOf } from '@unroll/core/internal';
import type { ImportedArray } from '../imported.js';
import { configError, isObject, listIn, numberIn, objectIn, textIn } from '../keras/json.js';
import type { ByteSource } from '../source.js';

/** One array in the manifest. */
export interface TfjsWeight {
  name: string;
  shape: Shape;
  /** Type of the values in the file. */
  storedType: string;
  /** value = stored value * scale + min */
  scale: number;
  min: number;
  /** True for the state of an optimizer. */
  isOptimizer: boolean;
}

export interface WeightGroupFiles {
  paths: string[];
  weights: TfjsWeight[];
}

const BYTES: Readonly<Record<string, number>> = {
  float32: 4,
  int32: 4,
  bool: 1,
  uint8: 1,
  uint16: 2,
  float16: 2,
};

/** Reads the manifest. @throws UnrollError `format` for a damaged manifest or a path outside the folder */
export function manifestOf(value: Json | undefined): WeightGroupFiles[] {
  return listIn(value, 'weightsManifest').map((entry) => {
    const group = objectIn(entry, 'A group of weightsManifest');
    return {
      paths: listIn(group.paths, 'paths of weightsManifest').map(pathIn),
      weights: listIn(group.weights, 'weights of weightsManifest').map(weightIn),
    };
  });
}

function pathIn(value: Json): string {
  const path = textIn(value, 'A path of weightsManifest');
  const isInside = !/^[/\\]|^[a-z][a-z0-9+.-]*:/i.test(path) && !path.split(/[\\/]/).includes('..');
  if (isInside) return path;
  throw new UnrollError(
    'format',
    `weightsManifest refers to ${path}, which is outside the folder of the model.`,
    { path },
  );
}

function weightIn(value: Json): TfjsWeight {
  const weight = objectIn(value, 'A weight of weightsManifest');
  const name = textIn(weight.name, 'The name of a weight');
  const shape = listIn(weight.shape, `shape of ${name}`).map((extent) => {
    const size = numberIn(extent, `shape of ${name}`);
    if (Number.isSafeInteger(size) && size >= 0) return size;
    throw configError(`shape of ${name}`, 'a list of sizes', weight.shape);
  });
  const quantization: JsonObject = isObject(weight.quantization) ? weight.quantization : {};
  const storedType = textIn(quantization.dtype ?? weight.dtype, `dtype of ${name}`);
  if (!Object.hasOwn(BYTES, storedType))
    throw configError(`dtype of ${name}`, `one of ${Object.keys(BYTES).join(', ')}`, storedType);
  return {
    ...{ name, shape, storedType },
    scale: quantization.scale === undefined ? 1 : numberIn(quantization.scale, `scale of ${name}`),
    min: quantization.min === undefined ? 0 : numberIn(quantization.min, `min of ${name}`),
    isOptimizer: weight.group === 'optimizer',
  };
}

/** Reads all arrays, in the order of the manifest. @param files contents by path; default: from the model's folder */
export async function readManifest(
  source: ByteSource,
  groups: readonly WeightGroupFiles[],
  files?: ReadonlyMap<string, Uint8Array>,
): Promise<{ array: ImportedArray; isOptimizer: boolean }[]> {
  const arrays: { array: ImportedArray; isOptimizer: boolean }[] = [];
  for (const { paths, weights } of groups) {
    const parts = await Promise.all(paths.map((path) => contentOf(source, path, files)));
    const bytes = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
    let end = 0;
    for (const part of parts) {
      bytes.set(part, end);
      end += part.length;
    }
    let at = 0;
    for (const weight of weights) {
      const size = sizeOf(weight.shape) * BYTES[weight.storedType];
      if (!(at + size <= bytes.length)) throw lengthError(paths, bytes.length, at + size);
      const part = bytes.slice(at, at + size);
      arrays.push({
        array: { shape: weight.shape, values: valuesOf(part, weight), from: weight.name },
        isOptimizer: weight.isOptimizer,
      });
      at += size;
    }
    if (at !== bytes.length) throw lengthError(paths, bytes.length, at);
  }
  return arrays;
}

function lengthError(paths: readonly string[], got: number, expected: number): UnrollError {
  return new UnrollError(
    'format',
    `${paths.join(' and ')} must have ${expected} bytes for the weights of the manifest, got ${got}.`,
    { paths, got, expected },
  );
}

async function contentOf(
  source: ByteSource,
  path: string,
  files: ReadonlyMap<string, Uint8Array> | undefined,
): Promise<Uint8Array> {
  const content = files?.get(path) ?? files?.get(path.slice(path.lastIndexOf('/') + 1));
  if (content) return content;
  if (!source.sibling) {
    throw new UnrollError(
      'format',
      `${source.name} refers to ${path}. Pass the path or the URL of model.json, or the files with the weights: { files }.`,
      { path },
    );
  }
  const file = await source.sibling(path);
  return file.read(0, file.size);
}

function valuesOf({ buffer }: Uint8Array<ArrayBuffer>, { storedType, scale, min }: TfjsWeight): FloatArray {
  if (storedType === 'float32') return new Float32Array(buffer);
  if (storedType === 'float16') return Float32Array.from(new Uint16Array(buffer), fromFloat16Bits);
  const integers = { int32: Int32Array, uint16: Uint16Array }[storedType] ?? Uint8Array;
  return Float32Array.from(new integers(buffer), (value) => value * scale + min);
}
