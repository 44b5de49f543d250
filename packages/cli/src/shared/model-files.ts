/** Reads a saved model from a folder or a zip. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ARTIFACT_FILES, fromZip } from '@unroll/formats';
import { type OptionSpecs, tokensOf, UsageError } from './args.js';
import { reasonOf } from './files.js';

/**
 * Returns the argument that is the path of the model. The options of the model are unknown until the model is loaded, so an
 * argument after an unknown option may be the value of this option. Such an argument is taken for the path only if there is no
 * other candidate and the path exists.
 * @returns undefined if no argument is the path of a model
 */
export function modelPath(args: readonly string[], commandOptions: OptionSpecs): string | undefined {
  const tokens = tokensOf(args, commandOptions);
  const positionals = tokens.flatMap((token) => (token.kind === 'positional' ? [token] : []));
  const possibleValues = new Set(
    tokens.flatMap((token) =>
      token.kind === 'option' && !Object.hasOwn(commandOptions, token.name) && token.value === undefined
        ? [token.index + 1]
        : [],
    ),
  );
  const certain = positionals.find(({ index }) => !possibleValues.has(index));
  return (certain ?? positionals.find(({ value }) => existsSync(value)))?.value;
}

/** Reads the files of the model at `path`, by name. @throws UsageError if there is no model or it cannot be read */
export async function readModelFiles(path: string): Promise<ReadonlyMap<string, Uint8Array>> {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats?.isFile() && path.endsWith('.zip')) return await fromZip(read(path), ARTIFACT_FILES);
  if (!stats?.isDirectory()) {
    const problem =
      stats === undefined
        ? `${path.endsWith('.zip') ? 'file' : 'folder'} not found`
        : 'this is neither a folder nor a .zip';
    throw new UsageError(`${path}: ${problem}. Pass the folder of a saved model, or a zip of its files.`);
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
