/** The data types of PyTorch, and how their elements are read. */
import { fromFloat16Bits } from '@unroll/core/internal';

export interface TorchType {
  /** Name in PyTorch, such as `float32`. */
  name: string;
  /** Class of its storage, such as `FloatStorage`. */
  storage: string;
  /** Bytes per element. */
  size: number;
  read(view: DataView, at: number, littleEndian: boolean): number;
}

const scratch = new DataView(new ArrayBuffer(4));

const type = (
  name: string,
  storage: string,
  size: number,
  read: TorchType['read'],
): readonly [string, TorchType] => [name, { name, storage, size, read }];

/** The data types by name. Types that have no storage class are in untyped storages. */
export const TORCH_TYPES: Readonly<Record<string, TorchType>> = Object.fromEntries([
  type('float32', 'FloatStorage', 4, (view, at, littleEndian) => view.getFloat32(at, littleEndian)),
  type('float64', 'DoubleStorage', 8, (view, at, littleEndian) => view.getFloat64(at, littleEndian)),
  type('float16', 'HalfStorage', 2, (view, at, littleEndian) =>
    fromFloat16Bits(view.getUint16(at, littleEndian)),
  ),
  type('bfloat16', 'BFloat16Storage', 2, (view, at, littleEndian) => {
    scratch.setUint32(0, view.getUint16(at, littleEndian) << 16);
    return scratch.getFloat32(0);
  }),
  type('int64', 'LongStorage', 8, (view, at, littleEndian) => Number(view.getBigInt64(at, littleEndian))),
  type('int32', 'IntStorage', 4, (view, at, littleEndian) => view.getInt32(at, littleEndian)),
  type('int16', 'ShortStorage', 2, (view, at, littleEndian) => view.getInt16(at, littleEndian)),
  type('int8', 'CharStorage', 1, (view, at) => view.getInt8(at)),
  type('uint8', 'ByteStorage', 1, (view, at) => view.getUint8(at)),
  type('bool', 'BoolStorage', 1, (view, at) => (view.getUint8(at) === 0 ? 0 : 1)),
  type('uint16', 'UntypedStorage', 2, (view, at, littleEndian) => view.getUint16(at, littleEndian)),
  type('uint32', 'UntypedStorage', 4, (view, at, littleEndian) => view.getUint32(at, littleEndian)),
  type('uint64', 'UntypedStorage', 8, (view, at, littleEndian) =>
    Number(view.getBigUint64(at, littleEndian)),
  ),
]);
