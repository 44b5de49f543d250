/** Runs the command as a user does: in a separate process, in a temporary folder. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { fileURLToPath } from 'node:url';

const bin = fileURLToPath(new URL('../../bin/unroll.js', import.meta.url));
export const passengers = fileURLToPath(new URL('../../data/air-passengers.csv', import.meta.url));
/** Arguments to forecast the bundled series twelve months ahead. */
export const AIR = [passengers, '--target', 'passengers', '--horizon', '12'];
/** Options for a small network that trains quickly, without the fitted baselines. */
export const QUICK = ['--epochs', '2', '--units', '4', '--baselines', 'none'];

export interface Run {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface TempFolder {
  /** The folder in which commands run. It is created before the tests of a file and removed afterwards. */
  readonly folder: string;
  unroll(args: readonly string[], onStart?: (child: ChildProcess) => void): Promise<Run>;
  /** Returns the cells of a CSV file that a command wrote. */
  csv(name: string): string[][];
}

/** Returns a temporary folder in which commands run. @param program path of the script. Default: the command `unroll` */
export function useTempFolder(program = bin): TempFolder {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'unroll-cli-'));
  });
  after(() => rmSync(folder, { recursive: true }));
  return {
    get folder() {
      return folder;
    },
    unroll(args, onStart) {
      const child = spawn(process.execPath, [program, ...args], { cwd: folder });
      const run: Run = { code: null, stdout: '', stderr: '' };
      child.stdout.on('data', (data) => (run.stdout += data));
      child.stderr.on('data', (data) => (run.stderr += data));
      onStart?.(child);
      return new Promise((resolve) => child.on('close', (code) => resolve({ ...run, code })));
    },
    csv: (name) =>
      readFileSync(join(folder, name), 'utf8')
        .trimEnd()
        .split('\n')
        .map((line) => line.split(',')),
  };
}
