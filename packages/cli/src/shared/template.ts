/** Writes a template file for missing rows. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { UnrollError } from '@unroll/core';
import type { Template } from '@unroll/tasks';
import { UsageError } from './args.js';
import { writeAtomically } from './files.js';
import { csvOf } from './tables.js';

/** The file for an option that takes rows: `future-template.csv` for `future-rows`. */
export const templateFile = (option: string): string => `${option.replace(/-rows$/, '')}-template.csv`;

/**
 * If `work` fails because of missing rows, writes a template of these rows. An existing template that was not read may
 * contain the user's values, so it is kept.
 * @param given the file given for each option
 */
export async function withTemplate<T>(
  out: string | undefined,
  given: Readonly<Record<string, string | undefined>>,
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
    if (existsSync(path) && !isSameFile(path, given[option])) {
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

export const isSameFile = (path: string, other: string | undefined): boolean =>
  other !== undefined && resolve(path) === resolve(other);
