/** Reads files on disk in parts. */
import { open, realpath, stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, normalize, sep } from 'node:path';
import { UnrollError } from '@unroll/core';
import { type ByteSource, checkRange } from './source.js';

/**
 * Opens a model: a file, or the file in a folder that describes the model (config.json of Unroll, model.json of
 * TensorFlow.js). @throws UnrollError `format` if there is none
 */
export async function modelSource(path: string): Promise<ByteSource> {
  const stats = await stat(path).catch(() => null);
  if (!stats?.isDirectory()) return fileSource(path);
  for (const name of ['config.json', 'model.json']) {
    const source = await fileSource(join(path, name)).catch(() => null);
    if (source) return source;
  }
  throw new UnrollError(
    'format',
    `${path} is a folder without a model: neither config.json nor model.json is in it.`,
    { path },
  );
}

/** Opens a file on disk. It need not be closed. @throws UnrollError `format` if there is no such file */
export async function fileSource(path: string): Promise<ByteSource> {
  const stats = await stat(path).catch(() => null);
  if (!stats?.isFile()) throw new UnrollError('format', `There is no file ${path}.`, { path });
  const source: ByteSource = {
    name: basename(path),
    size: stats.size,
    async read(begin, end) {
      checkRange(source, begin, end);
      const bytes = new Uint8Array(end - begin);
      const file = await open(path);
      try {
        for (let at = 0; at < bytes.length; ) {
          const { bytesRead } = await file.read(bytes, at, bytes.length - at, begin + at);
          if (bytesRead === 0)
            throw new UnrollError('format', `${path} became shorter while it was read.`, { path });
          at += bytesRead;
        }
      } finally {
        await file.close();
      }
      return bytes;
    },
    async sibling(relative) {
      const outside = new UnrollError(
        'format',
        `${path} refers to ${relative}, which is outside its folder.`,
        {
          relative,
        },
      );
      const inside = normalize(relative);
      if (isAbsolute(inside) || inside.split(/[\\/]/)[0] === '..') throw outside;
      const folder = await realpath(dirname(path));
      const other = await realpath(join(folder, inside)).catch(() => join(folder, inside));
      if (!other.startsWith(folder + sep)) throw outside; // a symbolic link
      return fileSource(other);
    },
  };
  return source;
}
