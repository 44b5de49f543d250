/**
 * The state of an interrupted run, for `--resume`: the folder `.resume` in the output folder, with a checkpoint of each
 * training and a record of the run's options and data. A run that completes deletes the folder.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomically } from '@unroll/core/node';
import type { RunStore } from '@unroll/tasks';
import { UsageError } from './args.js';
import { reasonOf } from './files.js';

/** The file with the identity of the run. */
const RECORD = 'run.json';

/** Everything that determines the results of a run, as JSON. */
export interface RunIdentity {
  task: string;
  /** Options by name, in the order in which differences are reported; undefined if not given. */
  options: Readonly<Record<string, unknown>>;
  /** Fingerprints of the files. */
  data: string;
  /** Version of Unroll. */
  version: string;
}

export interface RunCheckpoints extends RunStore {
  /** True if an interrupted run was found and is resumed. */
  readonly resumed: boolean;
  /** Deletes the checkpoints. Called after the results are written. */
  remove(): void;
}

/**
 * Opens the checkpoints of a run. The first checkpoint creates the folder.
 * @param out the output folder
 * @param resume true: resume the interrupted run, if there is one; false: delete the checkpoints of an interrupted run
 * @throws UsageError if the interrupted run had different options or data
 */
export function openCheckpoints(out: string, resume: boolean, identity: RunIdentity): RunCheckpoints {
  const folder = join(out, '.resume');
  const remove = () => rmSync(folder, { recursive: true, force: true });
  const pathOf = (name: string) => join(folder, `${name}.safetensors`);
  const record = `${JSON.stringify(identity, null, 2)}\n`;
  const resumed = resume && existsSync(join(folder, RECORD));
  if (resumed) checkIdentity(readFileSync(join(folder, RECORD), 'utf8'), record, out);
  else remove();
  let recorded = resumed;
  const write = async (path: string, bytes: Uint8Array) => {
    try {
      await writeFileAtomically(path, bytes);
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
    remove,
  };
}

/** @throws UsageError if the recorded run differs from the current one */
function checkIdentity(recorded: string, current: string, out: string): void {
  const [before, now] = [recorded, current].map((text): RunIdentity => JSON.parse(text));
  const newVersion = before.version !== now.version;
  const differences = [...differingOptions(before.options ?? {}, now.options)];
  if (before.task !== now.task) differences.unshift(`the task was ${before.task} and is now ${now.task}`);
  if (before.data !== now.data) differences.push('the data have changed');
  const remedies = [
    ...(differences.length > 0 ? ['restore the previous options and data'] : []),
    ...(newVersion ? [`use Unroll ${before.version}`] : []),
  ].join(' and ');
  if (newVersion) differences.push(`the Unroll version was ${before.version} and is now ${now.version}`);
  if (differences.length === 0) return;
  throw new UsageError(
    `The interrupted run in ${out} cannot be resumed: ${differences.join('; ')}. ` +
      `${remedies[0].toUpperCase()}${remedies.slice(1)}, or start over without --resume.`,
  );
}

function differingOptions(before: RunIdentity['options'], now: RunIdentity['options']): string[] {
  const [flagsBefore, flagsNow] = [flagsOf(before), flagsOf(now)];
  const flags = [...new Set([...flagsBefore.keys(), ...flagsNow.keys()])];
  return flags
    .filter((flag) => JSON.stringify(flagsBefore.get(flag)) !== JSON.stringify(flagsNow.get(flag)))
    .map(
      (flag) =>
        `--${flag} was ${valueText(flagsBefore.get(flag))} and is now ${valueText(flagsNow.get(flag))}`,
    );
}

/** Options that a flag of the command line switches off: `--no-header` sets `header` to false. */
const NEGATED = new Set(['header', 'augment', 'ngrams']);

/** Returns the flags of the command line that set these options, with their values; undefined: not given. */
function flagsOf(options: RunIdentity['options']): Map<string, unknown> {
  const flags = new Map<string, unknown>();
  for (const [name, value] of Object.entries(options)) {
    const [on, off] = [value === true || undefined, value === false || undefined];
    if (NEGATED.has(name)) flags.set(`no-${name}`, off);
    else if (name === 'colour') flags.set('colour', on).set('grey', off);
    else if (name === 'sampleRate') flags.set('rate', value);
    else if (name === 'frameSize')
      flags.set('frame-size', Array.isArray(value) ? value.join('x') : undefined);
    else
      flags.set(
        name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`),
        off ? undefined : value,
      );
  }
  return flags;
}

function valueText(value: unknown): string {
  if (value === undefined) return 'not set';
  if (value === true) return 'set';
  if (Array.isArray(value) && value.length === 0) return 'none';
  return value === ' ' ? 'space' : String(value);
}
