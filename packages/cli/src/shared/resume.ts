/**
 * What `--resume` goes on from: the folder `.resume` beside the results, with a checkpoint of each training and a note of
 * the options and the data that they belong to. It is there while a run is under way, and after one that was interrupted.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeWhole } from '@unroll/core/node';
import type { ForecastOptions, RunStore } from '@unroll/tasks';
import { UsageError } from './args.js';
import { reasonOf } from './files.js';

const NOTE = 'run.json';

/** All that decides how a run ends. */
export interface RunIdentity extends ForecastOptions {
  /** Query over the file. */
  sql: string | undefined;
  /** Fingerprint of the file, and of that of the rows ahead. */
  data: string;
  /** Of Unroll. */
  version: string;
}

export interface KeptRun extends RunStore {
  /** Whether there was something to go on from. */
  readonly resumed: boolean;
  /** Takes the checkpoints away: the results are written. */
  done(): void;
}

/**
 * The checkpoints of the run in `out`: those of the run that was interrupted there, or with `resume` false none yet.
 * Nothing is written before the first checkpoint.
 * @throws UsageError when the interrupted run had other options or other data
 */
export function keptRun(out: string, resume: boolean, identity: RunIdentity): KeptRun {
  const folder = join(out, '.resume');
  const remove = () => rmSync(folder, { recursive: true, force: true });
  const place = (name: string) => join(folder, `${name}.safetensors`);
  const note = `${JSON.stringify(identity, null, 2)}\n`;
  const resumed = resume && existsSync(join(folder, NOTE));
  if (resumed) checkSame(readFileSync(join(folder, NOTE), 'utf8'), note, out);
  else remove();
  let noted = resumed;
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
        return await readFile(place(name));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
        throw new UsageError(`${place(name)}: ${reasonOf(error, 'cannot be read')}.`);
      }
    },
    async write(name, bytes) {
      if (!noted) await write(join(folder, NOTE), new TextEncoder().encode(note));
      noted = true;
      await write(place(name), bytes);
    },
    done: remove,
  };
}

function checkSame(before: string, now: string, out: string): void {
  const [was, is] = [before, now].map((text) => JSON.parse(text) as Record<string, unknown>) as [
    Record<string, unknown>,
    Record<string, unknown>,
  ];
  const names = [...new Set([...Object.keys(was), ...Object.keys(is)])];
  const differing = names.filter((name) => JSON.stringify(was[name]) !== JSON.stringify(is[name]));
  if (differing.length === 0) return;
  const told = differing.map((name) => {
    if (name === 'data') return 'the file held other data';
    if (name === 'version') return `it was Unroll ${was[name]}, and this is ${is[name]}`;
    return `${flagOf(name, was[name])} is now ${flagOf(name, is[name])}`;
  });
  throw new UsageError(
    `The run that was interrupted in ${out} was another one: ${told.join('; ')}. ` +
      'Run it as it was, or leave --resume out to start anew.',
  );
}

/** An option as it would be typed. */
function flagOf(name: string, value: unknown): string {
  if (name === 'levels')
    return flagOf(
      'level',
      (value as number[] | undefined)?.map((level) => 100 * level),
    );
  if (value === undefined || value === false) return `no --${name}`;
  return value === true ? `--${name}` : `--${name} ${value}`;
}
