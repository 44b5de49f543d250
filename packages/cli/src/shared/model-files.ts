/** A saved model on disk: a folder, or one zip. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ARTIFACT_FILES, fromZip } from '@unroll/formats';
import { type OptionSpecs, tokensOf, UsageError } from './args.js';
import { reasonOf } from './files.js';

/**
 * The word that names the model. Options that only the model declares are not known yet, and a word behind one may be its
 * value: it is taken for the model only where there is no other, and it exists.
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

/** The files of the model at a path. @throws UsageError where there is none, or it cannot be read */
export async function readModelFiles(path: string): Promise<ReadonlyMap<string, Uint8Array>> {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isFile() && path.endsWith('.zip')) return await fromZip(read(path), ARTIFACT_FILES);
  if (!found?.isDirectory()) {
    const what = found === undefined ? 'there is no such folder' : 'this is neither a folder nor a .zip';
    throw new UsageError(
      `${path}: ${what}. A model is the folder "model" that a run writes, or a zip of its files.`,
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
