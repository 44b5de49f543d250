/**
 * A fingerprint of data: equal for equal numbers and shapes, on every machine. It detects changes; it is not
 * cryptographic.
 */
import { formatShape } from '@unroll/core';
import { hostValues, sizeOf } from '@unroll/core/internal';
import { type Examples, loadRange, type ExampleRange, toRange } from './batches.js';

/** 64 bits in hexadecimal: two FNV-1a hashes of the values as float32, with different multipliers. */
function fingerprint({ inputs, targets, masks, weights, start, count }: ExampleRange): string {
  let a = 0x811c9dc5;
  let b = 0x9747b28c;
  const mix = (word: number): void => {
    a = Math.imul(a ^ word, 0x01000193);
    b = Math.imul(b ^ word, 0x85ebca6b);
    b ^= b >>> 15;
  };
  for (const tensor of [...inputs, ...targets, ...masks, ...weights]) {
    const row = tensor?.shape.slice(1) ?? [];
    for (const character of tensor ? `${count}${formatShape(row)}` : 'none') mix(character.charCodeAt(0));
    if (!tensor) continue;
    const width = sizeOf(row);
    const values = hostValues(tensor, 'The data').subarray(start * width, (start + count) * width);
    const floats = values instanceof Float32Array ? values : Float32Array.from(values);
    const words = new Int32Array(floats.buffer, floats.byteOffset, floats.length);
    for (let i = 0; i < words.length; i++) mix(words[i]);
  }
  const hex = (word: number): string => (word >>> 0).toString(16).padStart(8, '0');
  return hex(a) + hex(b);
}

/** The fingerprint of prepared examples. */
export async function fingerprintOfRange(rows: ExampleRange): Promise<string> {
  await loadRange(rows);
  return fingerprint(rows);
}

/** The fingerprint of examples: 16 hexadecimal digits. */
export function fingerprintOf(examples: Examples): Promise<string> {
  return fingerprintOfRange(toRange(examples));
}
