/** Converts the tensors of a safetensors file, of any data type, to floats. */
import { UnrollError } from '@unroll/core';
import { bitsPerElement, fromHalf, type SafetensorsType, type StoredTensor } from '@unroll/core/internal';

/** Readers of one element. Data types without a reader are recognised by name only. */
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
  F16: (view, at) => fromHalf(view.getUint16(at, true)),
  BF16: (view, at) => fromBrain(view.getUint16(at, true)),
  F32: (view, at) => view.getFloat32(at, true),
  F64: (view, at) => view.getFloat64(at, true),
};

/**
 * Copies the values of a stored tensor. Integers and doubles are returned as doubles (64-bit integers lose
 * precision beyond 2^53); all other types fit float32 exactly.
 * @param name the tensor's name, for the error
 * @throws UnrollError `format` for data types that cannot be converted (8-bit floats and smaller, complex numbers)
 */
export function floatsOf({ dtype, bytes }: StoredTensor, name: string): Float32Array | Float64Array {
  const read = readers[dtype];
  if (!read) {
    throw new UnrollError(
      'format',
      `Tensor "${name}" is stored as ${dtype}, which cannot be read as numbers here. Convert it to F32 ` +
        'first.',
      { name, dtype },
    );
  }
  const size = bitsPerElement[dtype] / 8;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wide = ['F64', 'U32', 'I32', 'U64', 'I64'].includes(dtype);
  const out = wide ? new Float64Array(bytes.length / size) : new Float32Array(bytes.length / size);
  for (let i = 0; i < out.length; i++) out[i] = read(view, i * size);
  return out;
}

const word = new DataView(new ArrayBuffer(4));

/** bfloat16 is the upper half of a float32. */
function fromBrain(bits: number): number {
  word.setUint32(0, bits << 16);
  return word.getFloat32(0);
}
