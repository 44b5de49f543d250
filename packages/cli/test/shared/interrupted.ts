/** For the tests of most tasks: tests that an interrupted and resumed run writes the same files as an uninterrupted run. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { TempFolder } from './helpers.js';

const RESULTS = ['config.json', 'model.safetensors', 'pipeline.json'];

/**
 * Interrupts a run with SIGINT and with SIGKILL after three epochs, and resumes it.
 * @param train the command without --out, with --json
 * @param changedOption an option with a value that differs from the one in `train`, so the run cannot be resumed with it
 * @param message the error message for the changed option
 */
export function testInterruptedRuns(
  temp: TempFolder,
  {
    train,
    changedOption,
    message,
  }: { train: readonly string[]; changedOption: readonly string[]; message: RegExp },
): void {
  const folder = (out: string): string => join(temp.folder, out);
  const results = (out: string) => RESULTS.map((name) => readFileSync(join(folder(out), name), 'base64'));
  describe('an interrupted run', () => {
    for (const signal of ['SIGINT', 'SIGKILL'] as const) {
      test(`${signal}: the resumed run writes the same files as an uninterrupted run`, async () => {
        await temp.unroll([...train, '--out', 'uninterrupted']);
        const stopped = await temp.unroll([...train, '--out', signal], afterEpochs(3, signal));
        assert.notEqual(stopped.code, 0);
        if (signal === 'SIGINT')
          assert.match(stopped.stderr, /Run the same command with --resume to continue\.\n$/);
        assert.deepEqual(readdirSync(folder(signal)), ['.resume']);
        const changed = await temp.unroll([...train, '--resume', ...changedOption, '--out', signal]);
        assert.match(changed.stderr, message);
        const { code, stderr } = await temp.unroll([...train, '--resume', '--out', signal]);
        assert.equal(code, 0, stderr);
        assert.match(stderr, /^resume {3}resuming the interrupted run$/m);
        assert.deepEqual(results(signal), results('uninterrupted'));
        assert.deepEqual(readdirSync(folder(signal)).sort(), readdirSync(folder('uninterrupted')).sort());
      });
    }
  });
}

/** Returns a function that sends a signal to a process after it has reported this many epochs. */
export const afterEpochs = (count: number, signal: NodeJS.Signals) => (child: ChildProcess) => {
  let epochs = 0;
  child.stdout!.on('data', (data) => {
    epochs += String(data).split('"epoch",').length - 1;
    // Once only: another SIGINT half a second later or more would end the process before it has stopped properly.
    if (epochs >= count && !child.killed) child.kill(signal);
  });
};
