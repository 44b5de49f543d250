/** Reads a saved model from a folder or a zip. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ARTIFACT_FILES, fromZip } from '@unroll/formats';
import { type OptionSpecs, tokensOf, UsageError } from './args.js';
import { reasonOf } from './files.js';

/**
 * The argument that names the model. Options declared by the model are not known yet, so an argument after one may be its
 * value: it counts as the model only if there is no other candidate and the path exists.
 */
export function modelPath(args: readonly string[], known: OptionSpecs): string | undefined {
  const tokens = tokensOf(args, known);
  const words = tokens.flatMap((token) => (token.kind === 'positional' ? [token] : []));
  const unsure = new Set(
    tokens.flatMap((token) =>
      token.kind === 'option' && !Object.hasOwn(known, token.name) && token.value === undefined
        ? [token.index + 1]
        : [],
    ),
  );
  const sure = words.find(({ index }) => !unsure.has(index));
  return (sure ?? words.find(({ value }) => existsSync(value)))?.value;
}

/** The files of the model at a path. @throws UsageError if there is none, or it cannot be read */
export async function readModelFiles(path: string): Promise<ReadonlyMap<string, Uint8Array>> {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isFile() && path.endsWith('.zip')) return await fromZip(read(path), ARTIFACT_FILES);
  if (!found?.isDirectory()) {
    const what = found === undefined ? 'folder not found' : 'this is neither a folder nor a .zip';
    throw new UsageError(
      `${path}: ${what}. A model is the folder "model" written by a run, or a zip of its files.`,
    );
  }
  const names = ARTIFACT_FILES.filter((name) => existsSync(join(path, name)));
  return new Map(names.map((name) => [name, read(join(path, name))]));
}

function read(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new UsageError(`${path}: ${reasonOf(error, 'cannot be read')}.`);
  }
}
