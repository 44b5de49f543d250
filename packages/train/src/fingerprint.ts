/**
 * Computes fingerprints of data, to detect changes. Equal numbers and shapes have equal fingerprints on every machine. The
 * hash is not cryptographic.
 */
import { formatShape } from '@unroll/core';
import { hostValues, sizeOf } from '@unroll/core/internal';
import { type ExampleRange, type Examples, loadRange, toRange } from './batches.js';

/** Returns 64 bits in hexadecimal: two variants of the FNV-1a hash of the shapes and of the values as float32. */
function fingerprint({ inputs, targets, masks, weights, start, count }: ExampleRange): string {
  let a = 0x811c9dc5;
  let b = 0x9747b28c;
  const mix = (word: number): void => {
    a = Math.imul(a ^ word, 0x01000193);
    b = Math.imul(b ^ word, 0x85ebca6b);
    b ^= b >>> 15;
  };
  for (const tensor of [...inputs, ...targets, ...masks, ...weights]) {
    const exampleShape = tensor?.shape.slice(1) ?? [];
    for (const character of tensor ? `${count}${formatShape(exampleShape)}` : 'none')
      mix(character.charCodeAt(0));
    if (!tensor) continue;
    const width = sizeOf(exampleShape);
    const values = hostValues(tensor, 'The data').subarray(start * width, (start + count) * width);
    const floats = values instanceof Float32Array ? values : Float32Array.from(values);
    const words = new Int32Array(floats.buffer, floats.byteOffset, floats.length);
    for (let i = 0; i < words.length; i++) mix(words[i]);
  }
  const hex = (word: number): string => (word >>> 0).toString(16).padStart(8, '0');
  return hex(a) + hex(b);
}

/** Returns the fingerprint of a range of examples. */
export async function fingerprintOfRange(range: ExampleRange): Promise<string> {
  await loadRange(range);
  return fingerprint(range);
}

/** Returns the fingerprint of examples: 16 hexadecimal digits. */
export function fingerprintOf(examples: Examples): Promise<string> {
  return fingerprintOfRange(toRange(examples));
}
