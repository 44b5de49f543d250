/** Converts the tensors of a safetensors file to floats. */
import { UnrollError } from '@unroll/core';
import {
  bitsPerElement,
  fromFloat16Bits,
  type SafetensorsType,
  type StoredTensor,
} from '@unroll/core/internal';

/** Functions that read one element, by data type. F32 needs no conversion; all other missing types cannot be converted. */
const readers: Partial<Record<SafetensorsType, (view: DataView, at: number) => number>> = {
  BOOL: (view, at) => (view.getUint8(at) === 0 ? 0 : 1),
  U8: (view, at) => view.getUint8(at),
  I8: (view, at) => view.getInt8(at),
  U16: (view, at) => view.getUint16(at, true),
  I16: (view, at) => view.getInt16(at, true),
  U32: (view, at) => view.getUint32(at, true),
  I32: (view, at) => view.getInt32(at, true),
  U64: (view, at) => Number(view.getBigUint64(at, true)),
  I64: (view, at) => Number(view.getBigInt64(at, true)),
  F16: (view, at) => fromFloat16Bits(view.getUint16(at, true)),
  BF16: (view, at) => fromBfloat16(view.getUint16(at, true)),
  F64: (view, at) => view.getFloat64(at, true),
};

/**
 * Converts the values of a stored tensor. Returns a Float64Array for 32-bit and 64-bit integers and for F64 (64-bit
 * integers lose precision beyond 2^53), and a Float32Array, which is exact, for all other types. An array of F32 may share the
 * memory of the file.
 * @param name name of the tensor, for error messages
 * @throws UnrollError `format` for data types that cannot be converted (8-bit floats and smaller, complex numbers)
 */
export function floatsOf({ dtype, bytes }: StoredTensor, name: string): Float32Array | Float64Array {
  // F32 is the most frequent type. Unroll assumes a little-endian machine, so the bytes need no conversion.
  // A Float32Array must begin at a multiple of 4 bytes, so unaligned bytes are copied.
  if (dtype === 'F32') {
    return bytes.byteOffset % 4
      ? new Float32Array(new Uint8Array(bytes).buffer)
      : new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  }
  const read = readers[dtype];
  if (!read) {
    throw new UnrollError(
      'format',
      `Tensor "${name}" has the data type ${dtype}, which cannot be loaded. Convert it to F32.`,
      { name, dtype },
    );
  }
  const size = bitsPerElement[dtype] / 8;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isDouble = /64|[UI]32/.test(dtype);
  const out = isDouble ? new Float64Array(bytes.length / size) : new Float32Array(bytes.length / size);
  for (let i = 0; i < out.length; i++) out[i] = read(view, i * size);
  return out;
}

const float32View = new DataView(new ArrayBuffer(4));

/** Converts a bfloat16, which is the upper half of a float32. */
function fromBfloat16(bits: number): number {
  float32View.setUint32(0, bits << 16);
  return float32View.getFloat32(0);
}
