/**
 * Opens the files that torch.save writes: a zip with a pickle and one file per storage (since PyTorch 1.6), or the legacy
 * format, which is five pickles followed by the storages. In a zip, a storage is read when the values of a tensor are needed.
 */
import { type FloatArray, UnrollError } from '@unroll/core';
import { type ByteSource, readAll } from '../source.js';
import { readZipEntry, type ZipIndex, zipIndex } from '../zip-source.js';
import { TORCH_TYPES, type TorchType } from './dtypes.js';
import { readPickle } from './pickle.js';
import { PyGlobal, PyStorage, type PyTensor, type PyValue } from './pickle-names.js';

export interface TorchFile {
  /** The object that was saved. */
  value: PyValue;
  /** `zip` or `legacy` */
  container: 'zip' | 'legacy';
  /** Reads the values of a tensor, in row-major order. */
  values(tensor: PyTensor): Promise<FloatArray>;
}

/** Gives access to the storages of a file. */
interface Storages {
  littleEndian: boolean;
  /** Reads the bytes of a storage. */
  bytes(storage: PyStorage): Promise<Uint8Array>;
}

const damaged = (source: ByteSource, what: string): UnrollError =>
  new UnrollError('format', `${source.name} is damaged: ${what}.`);

/** Opens a file. @throws UnrollError `format` for damaged files, `value` for programs and unknown objects in a file */
export async function openTorchFile(source: ByteSource): Promise<TorchFile> {
  const head = await source.read(0, Math.min(4, source.size));
  const { value, container, storages } = head[0] === 0x50 ? await openZip(source) : await openLegacy(source);
  const cache = new Map<string, Promise<Uint8Array>>();
  return {
    value,
    container,
    async values(tensor) {
      const { key: file, type, length } = tensor.storage;
      // A damaged file may describe one storage with several types or lengths. Each description is checked.
      const key = `${file} ${type?.name} ${length}`;
      const bytes = cache.get(key) ?? storages.bytes(tensor.storage);
      cache.set(key, bytes);
      return valuesOf(tensor, await bytes, storages.littleEndian);
    },
  };
}

interface OpenedFile {
  value: PyValue;
  container: TorchFile['container'];
  storages: Storages;
}

async function openZip(source: ByteSource): Promise<OpenedFile> {
  const index = await zipIndex(source);
  const { folder, pickle } = findPickle(source, index);
  const order = index.get(`${folder}byteorder`);
  const byteorder =
    order && order.size < 16 ? String.fromCharCode(...(await readZipEntry(source, order))) : 'little';
  if (byteorder !== 'little' && byteorder !== 'big') throw damaged(source, 'its byte order is unknown');
  const load = (id: PyValue): PyValue => storageOf(source, id);
  const { value } = readPickle(await readZipEntry(source, pickle), 0, load, source.name);
  const bytes = async (storage: PyStorage): Promise<Uint8Array> => {
    const entry = index.get(`${folder}data/${storage.key}`);
    if (!entry) throw damaged(source, `data/${storage.key} is missing`);
    const expected = storage.length * (storage.type?.size ?? 1);
    if (entry.size !== expected)
      throw damaged(source, `data/${storage.key} must have ${expected} bytes, got ${entry.size}`);
    return readZipEntry(source, entry);
  };
  return { value, container: 'zip', storages: { littleEndian: byteorder === 'little', bytes } };
}

/** Finds data.pkl, which is in the only folder of the archive. */
function findPickle(source: ByteSource, index: ZipIndex) {
  const names = [...index.keys()];
  if (names.some((name) => /^[^/]+\/(code\/|constants\.pkl$)/.test(name)))
    throw programError(source, 'a TorchScript archive, which contains a program');
  if (names.some((name) => /^([^/]+\/)?(models\/|archive_format$|serialized_exported_program)/.test(name)))
    throw programError(source, 'a program of torch.export');
  const found = names.filter((name) => /^([^/]+\/)?data\.pkl$/.test(name));
  const pickle = index.get(found[0]);
  if (found.length !== 1 || !pickle)
    throw new UnrollError(
      'format',
      `${source.name} is a zip, but not a file of torch.save: it has no data.pkl.`,
    );
  return { folder: found[0].slice(0, -'data.pkl'.length), pickle };
}

const programError = (source: ByteSource, what: string): UnrollError =>
  new UnrollError(
    'value',
    `${source.name} is ${what}. Unroll executes nothing from a file: save the weights alone, ` +
      "torch.save(model.state_dict(), 'weights.pt'), or export the model to ONNX.",
  );

/** Returns a storage from its persistent id. @param id ('storage', class, key, device, length) */
function storageOf(source: ByteSource, id: PyValue): PyStorage {
  if (!Array.isArray(id) || id[0] !== 'storage' || !(id[1] instanceof PyGlobal))
    throw damaged(source, 'the description of a storage is missing');
  const [, { name }, key, , length] = id as [string, PyGlobal, PyValue, PyValue, PyValue];
  const className = name.replace(/^torch\.(cuda\.|storage\.)?/, '');
  if (
    typeof key !== 'string' ||
    !/^\d{1,20}$/.test(key) ||
    !Number.isSafeInteger(length) ||
    (length as number) < 0
  )
    throw damaged(source, 'a storage has no key or no length');
  const type =
    className === 'UntypedStorage'
      ? null
      : Object.values(TORCH_TYPES).find(({ storage }) => storage === className);
  if (type === undefined) throw damaged(source, `the storage class ${name} is unknown`);
  return new PyStorage(key, type, length as number);
}

const MAGIC = Number(0x1950a86a20f9469cfc6cn);
const PROTOCOL = 1001;

/**
 * Opens a file in the format before PyTorch 1.6: five pickles (a magic number, a version, properties of the machine, the
 * object, the keys of the storages), and then the length and the values of each storage.
 */
async function openLegacy(source: ByteSource): Promise<OpenedFile> {
  const bytes = await readAll(source);
  const storagesByKey = new Map<string, PyStorage>();
  const load = (id: PyValue): PyValue => {
    if (Array.isArray(id) && id.length > 5 && id[5] !== null)
      throw new UnrollError(
        'value',
        `${source.name} contains views of storages, which only PyTorch before version 0.4 wrote and Unroll does not read. ` +
          "Load it with a newer PyTorch, and save the weights again: torch.save(model.state_dict(), 'weights.pt').",
      );
    const storage = storageOf(source, id);
    storagesByKey.set(storage.key, storage);
    return storage;
  };
  const rejectTensors = (): never => {
    throw damaged(source, 'its header refers to tensors');
  };
  const magic = readPickle(bytes, 0, rejectTensors, source.name);
  if (magic.value !== MAGIC)
    throw new UnrollError('format', `${source.name} is a pickle, but not a file of torch.save.`);
  const version = readPickle(bytes, magic.end, rejectTensors, source.name);
  if (version.value !== PROTOCOL) throw damaged(source, 'the version of its format is unknown');
  const machine = readPickle(bytes, version.end, rejectTensors, source.name);
  const littleEndian = machine.value instanceof Map ? machine.value.get('little_endian') !== false : true;
  const object = readPickle(bytes, machine.end, load, source.name);
  const keys = readPickle(bytes, object.end, rejectTensors, source.name);
  if (!Array.isArray(keys.value)) throw damaged(source, 'the list of its storages is missing');
  const ranges = new Map<string, Uint8Array>();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = keys.end;
  for (const key of keys.value) {
    const storage = typeof key === 'string' ? storagesByKey.get(key) : undefined;
    if (!storage || ranges.has(storage.key))
      throw damaged(source, 'the list of its storages has an unknown or repeated key');
    if (at + 8 > bytes.length) throw damaged(source, 'it is truncated');
    const length = view.getUint32(at, littleEndian) + view.getUint32(at + 4, littleEndian) * 2 ** 32;
    const end = at + 8 + length * (storage.type?.size ?? 1);
    if (length !== storage.length || end > bytes.length)
      throw damaged(source, `storage ${storage.key} must have ${storage.length} elements, got ${length}`);
    ranges.set(storage.key, bytes.subarray(at + 8, end));
    at = end;
  }
  return {
    value: object.value,
    container: 'legacy',
    storages: {
      littleEndian,
      bytes: async ({ key, type, length }) => {
        const range = ranges.get(key);
        if (range?.length === length * (type?.size ?? 1)) return range;
        throw damaged(source, `storage ${key} is missing, or has the wrong length`);
      },
    },
  };
}

/** Returns the values of a tensor as a copy, in row-major order. */
function valuesOf(tensor: PyTensor, bytes: Uint8Array, littleEndian: boolean): FloatArray {
  const { type, offset, shape, strides, length } = tensor;
  if (type.name === 'float32' && littleEndian && isContiguous(shape, strides)) {
    const begin = offset * 4;
    return new Float32Array(new Uint8Array(bytes.subarray(begin, begin + 4 * length)).buffer);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const out = needsFloat64(type) ? new Float64Array(length) : new Float32Array(length);
  if (length === 0) return out;
  const index = new Array<number>(shape.length).fill(0);
  let at = offset;
  for (let i = 0; i < length; i++) {
    out[i] = type.read(view, at * type.size, littleEndian);
    // Moves to the next index in row-major order.
    for (let d = shape.length - 1; d >= 0; d--) {
      at += strides[d];
      if (++index[d] < shape[d]) break;
      at -= strides[d] * shape[d];
      index[d] = 0;
    }
  }
  return out;
}

/** True for 64-bit types and 32-bit integers, whose values float32 cannot represent exactly. */
const needsFloat64 = ({ name }: TorchType): boolean => /64|int32/.test(name);

function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1;
  for (let d = shape.length - 1; d >= 0; d--) {
    if (shape[d] !== 1 && strides[d] !== expected) return false;
    expected *= shape[d];
  }
  return true;
}
