/**
 * State for `--resume`: the folder `.resume` next to the results, with a checkpoint of each training and a record of the
 * options and data of the run. It exists during a run and after an interrupted one.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeWhole } from '@unroll/core/node';
import type { RunStore } from '@unroll/tasks';
import { UsageError } from './args.js';
import { reasonOf } from './files.js';

const RECORD = 'run.json';

/** Everything that determines the results of a run: JSON. */
export interface RunIdentity {
  task: string;
  /** Options by flag, in the order in which differences are reported; undefined if not given. */
  options: Readonly<Record<string, unknown>>;
  /** Fingerprints of the files. */
  data: string;
  /** Version of Unroll. */
  version: string;
}

export interface RunCheckpoints extends RunStore {
  /** Whether the run resumes an interrupted one. */
  readonly resumed: boolean;
  /** Deletes the checkpoints, once the results are written. */
  done(): void;
}

/**
 * The checkpoints of the run in `out`: those of an interrupted run, or none if `resume` is false. Writes nothing before
 * the first checkpoint.
 * @throws UsageError if the interrupted run had different options or data
 */
export function openCheckpoints(out: string, resume: boolean, identity: RunIdentity): RunCheckpoints {
  const folder = join(out, '.resume');
  const remove = () => rmSync(folder, { recursive: true, force: true });
  const pathOf = (name: string) => join(folder, `${name}.safetensors`);
  const record = `${JSON.stringify(identity, null, 2)}\n`;
  const resumed = resume && existsSync(join(folder, RECORD));
  if (resumed) checkSame(readFileSync(join(folder, RECORD), 'utf8'), record, out);
  else remove();
  let recorded = resumed;
  const write = async (path: string, bytes: Uint8Array) => {
    try {
      await writeWhole(path, bytes);
    } catch (error) {
      throw new UsageError(`${path}: ${reasonOf(error, 'cannot be written')}.`);
    }
  };
  return {
    resumed,
    async read(name) {
      try {
        return await readFile(pathOf(name));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
        throw new UsageError(`${pathOf(name)}: ${reasonOf(error, 'cannot be read')}.`);
      }
    },
    async write(name, bytes) {
      if (!recorded) await write(join(folder, RECORD), new TextEncoder().encode(record));
      recorded = true;
      await write(pathOf(name), bytes);
    },
    done: remove,
  };
}

function checkSame(before: string, now: string, out: string): void {
  const [was, is] = [before, now].map((text): RunIdentity => JSON.parse(text));
  const differences = [...differingOptions(was.options ?? {}, is.options)];
  if (was.task !== is.task) differences.unshift(`the task was ${was.task} and is now ${is.task}`);
  if (was.data !== is.data) differences.push('the data have changed');
  if (was.version !== is.version)
    differences.push(`the Unroll version was ${was.version} and is now ${is.version}`);
  if (differences.length === 0) return;
  throw new UsageError(
    `The interrupted run in ${out} was different: ${differences.join('; ')}. ` +
      'Restore these, or start over without --resume.',
  );
}

function differingOptions(was: RunIdentity['options'], is: RunIdentity['options']): string[] {
  const names = [...new Set([...Object.keys(was), ...Object.keys(is)])];
  return names
    .filter((name) => JSON.stringify(was[name]) !== JSON.stringify(is[name]))
    .map((name) => `${flagOf(name, was[name])} is now ${flagOf(name, is[name])}`);
}

/** An option as written on the command line. */
function flagOf(name: string, value: unknown): string {
  if (value === undefined || value === false) return `no --${name}`;
  return value === true ? `--${name}` : `--${name} ${value}`;
}
