/** Writes the data of a row of the benchmark to the file that every engine reads. */
import { closeSync, openSync, writeSync } from 'node:fs';
import type { DataFile, Entry, RowData } from './data.js';

/** Writes the tensors to `path`. @returns their positions in the file */
export function writeData(path: string, { inputs, y, weights }: RowData): DataFile {
  const entries: Entry[] = [];
  const file = openSync(path, 'w');
  let offset = 0;
  for (const { name, shape, values } of [...inputs, y, ...weights]) {
    entries.push({ name, shape, offset, size: values.length });
    writeSync(file, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    offset += values.length;
  }
  closeSync(file);
  return { path, inputs: inputs.length, entries };
}
