/** Writes a template file if a model needs rows that the user has not provided. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { UnrollError } from '@unroll/core';
import type { Template } from '@unroll/tasks';
import { UsageError } from './args.js';
import { writeAtomically } from './files.js';
import { csvOf } from './tables.js';

/** Returns the name of the template for an option: `future-template.csv` for `future-rows`. */
export const templateFile = (option: string): string => `${option.replace(/-rows$/, '')}-template.csv`;

/**
 * Runs `work`. If it fails because rows are missing, writes a template with these rows to fill in. An existing template
 * may contain the user's values, so it is overwritten only if it is one of `optionFiles`.
 * @param out the output folder
 * @param optionFiles the values of the options by name, some of which are paths of files with such rows
 * @throws UsageError that says how to provide the rows
 */
export async function withTemplateOfMissingRows<T>(
  out: string | undefined,
  optionFiles: Readonly<Record<string, string | undefined>>,
  work: () => T | Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof UnrollError) || error.data.template === undefined) throw error;
    if (out === undefined) {
      throw new UsageError(`${error.message}\nAdd --out <folder> to write a template file with these rows.`);
    }
    const option = String(error.data.option);
    const path = join(out, templateFile(option));
    if (existsSync(path) && !isSameFile(path, optionFiles[option])) {
      throw new UsageError(
        `${error.message}\n${path} already exists and was not changed. Fill it in and add --${option} ${path}.`,
      );
    }
    writeAtomically(out, new Map([[templateFile(option), csvOf(error.data.template as Template)]]));
    throw new UsageError(
      `${error.message}\nThe template ${path} contains these rows. Fill it in and add --${option} ${path}.`,
    );
  }
}

/** Returns true if two paths are the same. */
export const isSameFile = (path: string, other: string | undefined): boolean =>
  other !== undefined && resolve(path) === resolve(other);
