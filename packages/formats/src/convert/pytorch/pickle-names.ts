/** Defines the names that a pickle of PyTorch may use. All other names are refused. */
import { UnrollError } from '@unroll/core';
import { TORCH_TYPES, type TorchType } from './dtypes.js';

/** Values of Python in JavaScript: tuples, lists and sets are arrays, dictionaries are maps. */
export type PyValue =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | PyValue[]
  | Map<PyValue, PyValue>
  | PyGlobal
  | PyStorage
  | PyTensor;

/** A function or class by its name, such as `collections.OrderedDict`. */
export class PyGlobal {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

/** The memory of one or several tensors. */
export class PyStorage {
  readonly key: string;
  /** Type of the elements; null: bytes without a type. */
  readonly type: TorchType | null;
  /** Number of elements, or number of bytes if there is no type. */
  readonly length: number;
  constructor(key: string, type: TorchType | null, length: number) {
    this.key = key;
    this.type = type;
    this.length = length;
  }
}

/** A tensor: a view of a storage. */
export class PyTensor {
  readonly storage: PyStorage;
  readonly type: TorchType;
  /** Offset in the storage, in elements. */
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  constructor(
    storage: PyStorage,
    type: TorchType,
    offset: number,
    shape: readonly number[],
    strides: readonly number[],
  ) {
    this.storage = storage;
    this.type = type;
    this.offset = offset;
    this.shape = shape;
    this.strides = strides;
  }

  /** Number of elements. */
  get length(): number {
    return this.shape.reduce((product, extent) => product * extent, 1);
  }
}

export const REMEDY = "Save the weights alone: torch.save(model.state_dict(), 'weights.pt').";

const valueError = (message: string, name: string): UnrollError =>
  new UnrollError('value', message, { name });

const damaged = (file: string, what: string): UnrollError =>
  new UnrollError('format', `${file} is damaged: ${what}.`);

type Call = (args: readonly PyValue[], file: string) => PyValue;

const TENSOR_CALL: Call = ([storage, offset, shape, strides], file) =>
  tensorOf(file, storage, null, offset, shape, strides);

/** The functions and classes that a pickle may call. */
const CALLS: Readonly<Record<string, Call>> = {
  'collections.OrderedDict': ([items = []], file) => dictOf(items, file),
  'collections.Counter': ([items = []], file) => dictOf(items, file),
  'collections.defaultdict': () => new Map(),
  'torch.Size': ([sizes = []]) => sizes,
  'torch.device': (parts) => [...parts],
  'torch._utils._rebuild_tensor': TENSOR_CALL,
  'torch._utils._rebuild_tensor_v2': TENSOR_CALL,
  'torch._utils._rebuild_tensor_v3': ([storage, offset, shape, strides, , , type], file) =>
    tensorOf(file, storage, type, offset, shape, strides),
  'torch._utils._rebuild_parameter': ([tensor], file) => tensorArgument(tensor, file),
  'torch._utils._rebuild_parameter_with_state': ([tensor], file) => tensorArgument(tensor, file),
  'numpy.dtype': ([type]) => new PyGlobal(`numpy.dtype:${typeof type === 'string' ? type : ''}`),
  'numpy.core.multiarray.scalar': ([type, bytes], file) => numpyScalar(type, bytes, file),
  'numpy._core.multiarray.scalar': ([type, bytes], file) => numpyScalar(type, bytes, file),
  // How protocol 2 writes bytes
  '_codecs.encode': ([text], file) => {
    if (typeof text !== 'string') throw damaged(file, 'a string is missing');
    return Uint8Array.from(text, (character) => character.charCodeAt(0) & 0xff);
  },
  'builtins.set': ([items = []]) => items,
  '__builtin__.set': ([items = []]) => items,
};

/** Names that stand for values and cannot be called. */
const NAMES = new Set([
  ...Object.keys(TORCH_TYPES).map((type) => `torch.${type}`),
  ...Object.values(TORCH_TYPES).flatMap(({ storage }) => [`torch.${storage}`, `torch.cuda.${storage}`]),
  'torch.storage.UntypedStorage',
  'torch.UntypedStorage',
  'torch.strided',
]);

/** Returns a name that a pickle refers to. @throws UnrollError `value` for names that are not in the lists of this file */
export function globalNamed(name: string, file: string): PyGlobal {
  if (Object.hasOwn(CALLS, name) || NAMES.has(name)) return new PyGlobal(name);
  if (name.startsWith('torch.nn.')) {
    throw valueError(
      `${file} is a whole module (it contains ${name}), which only Python can run. ${REMEDY}`,
      name,
    );
  }
  throw valueError(
    `${file} contains ${name.slice(0, 100)}, but Unroll reads only tensors, numbers, strings and containers from a pickle, ` +
      `and executes nothing. ${REMEDY}`,
    name,
  );
}

/** Calls a function or class in {@link CALLS}. @throws UnrollError `value` for a name that cannot be called */
export function reduce({ name }: PyGlobal, args: readonly PyValue[], file: string): PyValue {
  if (Object.hasOwn(CALLS, name)) return CALLS[name](args, file);
  throw valueError(`${file} calls ${name}, which Unroll does not do. ${REMEDY}`, name);
}

function dictOf(items: PyValue, file: string): Map<PyValue, PyValue> {
  if (items instanceof Map) return new Map(items);
  const map = new Map<PyValue, PyValue>();
  for (const item of Array.isArray(items) ? items : []) {
    if (!Array.isArray(item) || item.length !== 2)
      throw damaged(file, 'an item of an OrderedDict is not a pair');
    map.set(item[0], item[1]);
  }
  return map;
}

function tensorArgument(tensor: PyValue, file: string): PyTensor {
  if (tensor instanceof PyTensor) return tensor;
  throw damaged(file, 'a parameter is not a tensor');
}

/** Returns a tensor after checking that it fits its storage. @param type its dtype; null: the type of the storage */
function tensorOf(
  file: string,
  storage: PyValue,
  type: PyValue,
  offset: PyValue,
  shape: PyValue,
  strides: PyValue,
): PyTensor {
  if (!(storage instanceof PyStorage)) throw damaged(file, 'a tensor has no storage');
  const named = type instanceof PyGlobal ? TORCH_TYPES[type.name.replace('torch.', '')] : storage.type;
  if (!named) throw damaged(file, 'a tensor has no data type');
  if (!isCount(offset) || !isCounts(shape) || !isCounts(strides) || shape.length !== strides.length)
    throw damaged(file, 'the shape, the strides or the offset of a tensor is not valid');
  const capacity = storage.type ? storage.length : Math.floor(storage.length / named.size);
  const length = lengthOf(shape);
  const last = shape.reduce((sum, extent, d) => sum + (extent - 1) * strides[d], offset);
  if (length > 0 && !(last < capacity))
    throw damaged(file, `a tensor [${shape.join(', ')}] exceeds its storage`);
  // Strides of 0 repeat elements. A few bytes could then fill the memory.
  if (length > capacity) {
    const text = `a tensor [${shape.join(', ')}]`;
    if (length === Infinity) throw damaged(file, `${text} has more than 2^53 elements`);
    throw new UnrollError(
      'value',
      `${file} contains ${text} that repeats the elements of its storage, as expand() does, which Unroll does not read. ` +
        'Save a copy of this tensor: tensor.contiguous().',
    );
  }
  return new PyTensor(storage, named, offset, shape, strides);
}

/** Returns the number of elements, or Infinity beyond 2^53. */
function lengthOf(shape: readonly number[]): number {
  if (shape.includes(0)) return 0;
  const length = shape.reduce((product, extent) => product * extent, 1);
  return Number.isSafeInteger(length) ? length : Number.POSITIVE_INFINITY;
}

const isCount = (value: PyValue): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isCounts = (value: PyValue): value is number[] =>
  Array.isArray(value) && value.length <= 32 && value.every(isCount);

/** Returns a string or a number as a string, and `?` for other keys: nested containers could give exponentially long text. */
export const keyText = (key: PyValue): string =>
  typeof key === 'string' || typeof key === 'number' ? String(key) : '?';

/** Returns a NumPy number, such as a loss that was stored as numpy.float64. */
function numpyScalar(type: PyValue, bytes: PyValue, file: string): number {
  const name = type instanceof PyGlobal ? type.name.replace('numpy.dtype:', '') : '';
  const readers: Record<string, (view: DataView) => number> = {
    f8: (view) => view.getFloat64(0, true),
    f4: (view) => view.getFloat32(0, true),
    i8: (view) => Number(view.getBigInt64(0, true)),
    i4: (view) => view.getInt32(0, true),
    u8: (view) => Number(view.getBigUint64(0, true)),
    b1: (view) => view.getUint8(0),
  };
  const read = Object.hasOwn(readers, name) ? readers[name] : undefined;
  if (!read)
    throw valueError(
      `${file} contains a NumPy number of type ${name.slice(0, 20) || 'unknown'}, which Unroll does not read. ${REMEDY}`,
      name,
    );
  if (!(bytes instanceof Uint8Array) || bytes.length !== Number(name[1]))
    throw damaged(file, `a NumPy number of type ${name} has the wrong length`);
  return read(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength));
}
