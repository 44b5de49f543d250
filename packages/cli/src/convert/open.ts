/** Opens model files of any supported format on disk. */
import { existsSync } from 'node:fs';
import type { ByteSource, ModelFormat } from '@unroll/formats/convert';
import { UsageError } from '../shared/args.js';

/**
 * Opens the model at `path` and returns it with its format.
 * @param from name of the format; default: detected from the content and the extension
 * @throws UsageError if there is no file
 */
export async function openModelFile(
  path: string,
  from?: string,
): Promise<{ source: ByteSource; format: ModelFormat }> {
  const { formatNamed, formatOfFile } = await import('@unroll/formats/convert');
  const { modelSource } = await import('@unroll/formats/convert/node');
  if (!existsSync(path)) throw new UsageError(`${path}: file not found.`);
  const source = await modelSource(path);
  return { source, format: from === undefined ? await formatOfFile(source) : await formatNamed(from) };
}

/** Opens a file on disk. @throws UsageError if the file does not exist */
export async function openFile(path: string): Promise<ByteSource> {
  const { fileSource } = await import('@unroll/formats/convert/node');
  if (!existsSync(path)) throw new UsageError(`${path}: file not found.`);
  return fileSource(path);
}
