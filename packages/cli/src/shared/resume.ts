/**
 * What `--resume` goes on from: the folder `.resume` beside the results, with a checkpoint of each training and a note of
 * the options and the data that they belong to. It is there while a run is under way, and after one that was interrupted.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeWhole } from '@unroll/core/node';
import type { RunStore } from '@unroll/tasks';
import { UsageError } from './args.js';
import { reasonOf } from './files.js';

const NOTE = 'run.json';

/** All that decides how a run ends: JSON. */
export interface RunIdentity {
  task: string;
  /** Options as they would be typed, in the order in which differences are told; undefined where they are left out. */
  options: Readonly<Record<string, unknown>>;
  /** Fingerprints of the files. */
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
  const [was, is] = [before, now].map((text): RunIdentity => JSON.parse(text));
  const told = [...differingOptions(was.options, is.options)];
  if (was.task !== is.task) told.unshift(`it was of the task ${was.task}, and this is ${is.task}`);
  if (was.data !== is.data) told.push('the file held other data');
  if (was.version !== is.version) told.push(`it was Unroll ${was.version}, and this is ${is.version}`);
  if (told.length === 0) return;
  throw new UsageError(
    `The run that was interrupted in ${out} was another one: ${told.join('; ')}. ` +
      'Run it as it was, or leave --resume out to start anew.',
  );
}

function differingOptions(was: RunIdentity['options'], is: RunIdentity['options']): string[] {
  const names = [...new Set([...Object.keys(was), ...Object.keys(is)])];
  return names
    .filter((name) => JSON.stringify(was[name]) !== JSON.stringify(is[name]))
    .map((name) => `${flagOf(name, was[name])} is now ${flagOf(name, is[name])}`);
}

/** An option as it would be typed. */
function flagOf(name: string, value: unknown): string {
  if (value === undefined || value === false) return `no --${name}`;
  return value === true ? `--${name}` : `--${name} ${value}`;
}
