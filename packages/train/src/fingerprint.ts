/**
 * A fingerprint of data: equal for equal numbers and shapes, on every machine. For noticing change, not for
 * security.
 */
import { formatShape } from '@unroll/core';
import type { Table } from '@unroll/core/internal';
import { type Examples, type Rows, toRows } from './batches.js';

/** 64 bits in hexadecimal: two FNV-1a hashes of the values as float32, by different multipliers. */
function fingerprint(tables: readonly (Table | null)[]): string {
  let a = 0x811c9dc5;
  let b = 0x9747b28c;
  const mix = (word: number): void => {
    a = Math.imul(a ^ word, 0x01000193);
    b = Math.imul(b ^ word, 0x85ebca6b);
    b ^= b >>> 15;
  };
  for (const table of tables) {
    for (const character of table ? `${table.count}${formatShape(table.shape)}` : 'none')
      mix(character.charCodeAt(0));
    if (!table) continue;
    const floats = table.values instanceof Float32Array ? table.values : Float32Array.from(table.values);
    const words = new Int32Array(floats.buffer, floats.byteOffset, floats.length);
    for (let i = 0; i < words.length; i++) mix(words[i]);
  }
  const hex = (word: number): string => (word >>> 0).toString(16).padStart(8, '0');
  return hex(a) + hex(b);
}

/** The fingerprint of examples, laid out for training. */
export function fingerprintOfRows({ inputs, targets, masks, weights }: Rows): string {
  return fingerprint([...inputs, ...targets, ...masks, ...weights]);
}

/** The fingerprint of examples: 16 hexadecimal digits. */
export function fingerprintOf(examples: Examples): string {
  return fingerprintOfRows(toRows(examples));
}
