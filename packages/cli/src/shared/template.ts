/** Rows that are missing, written as a file to fill in. */
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
 * Where `work` fails for rows that are missing, these are written beside the error. A file of them that is there already,
 * and was not read, may have been filled in: it is left alone.
 * @param given the file that each option named
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
      throw new UsageError(`${error.message}\nWith --out <folder>, a file with these rows is written.`);
    }
    const option = String(error.data.option);
    const path = join(out, templateFile(option));
    if (existsSync(path) && !isSameFile(path, given[option])) {
      throw new UsageError(
        `${error.message}\n${path} is there from before and is left as it is: once filled in, it is read by ` +
          `--${option} ${path}.`,
      );
    }
    writeAtomically(out, new Map([[templateFile(option), csvOf(error.data.template as Template)]]));
    throw new UsageError(
      `${error.message}\n${path} holds these rows: fill them in and add --${option} ${path}.`,
    );
  }
}

export const isSameFile = (path: string, other: string | undefined): boolean =>
  other !== undefined && resolve(path) === resolve(other);
