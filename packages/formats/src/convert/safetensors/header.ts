/** Reads the header of a safetensors file without the values. */
import { readSafetensorsHeader, type SafetensorsHeader, safetensorsStart } from '@unroll/core/internal';
import type { ByteSource } from '../source.js';

/** Returns the header of a file. @throws UnrollError `format` for anything that the specification forbids */
export async function headerOf(source: ByteSource): Promise<SafetensorsHeader> {
  const start = safetensorsStart(await source.read(0, Math.min(8, source.size)), source.size);
  return readSafetensorsHeader(await source.read(0, start), source.size);
}

/** The data types of safetensors in the spelling of Unroll, NumPy and PyTorch. */
const TYPES: Readonly<Record<string, string>> = {
  BOOL: 'bool',
  U8: 'uint8',
  I8: 'int8',
  U16: 'uint16',
  I16: 'int16',
  U32: 'uint32',
  I32: 'int32',
  U64: 'uint64',
  I64: 'int64',
  F16: 'float16',
  BF16: 'bfloat16',
  F32: 'float32',
  F64: 'float64',
  C64: 'complex64',
};

/** Returns the common name of a data type: `float32` for `F32`. */
export const typeName = (dtype: string): string => TYPES[dtype] ?? dtype;

/** Returns a count with its noun: `1 tensor`, `2 tensors`. */
export const countWithNoun = (count: number, noun: string): string =>
  `${count} ${noun}${count === 1 ? '' : 's'}`;
