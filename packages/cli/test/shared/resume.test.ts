// The message that an interrupted run cannot be resumed names the options of the command line that differ.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { openCheckpoints, type RunIdentity } from '../../dist/shared/resume.js';

type Options = RunIdentity['options'];
let folder = '';
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'unroll-resume-'));
});
after(() => rmSync(folder, { recursive: true }));

/** Returns the error if a run is resumed with other options or another version; null if there is none. */
async function messageFor(was: Partial<RunIdentity>, is: Partial<RunIdentity>): Promise<string | null> {
  const identity = { task: 'classify', options: {}, data: 'abc', version: '0.1.0' };
  await openCheckpoints(folder, false, { ...identity, ...was }).write('network', new Uint8Array(1));
  try {
    openCheckpoints(folder, true, { ...identity, ...is });
    return null;
  } catch (error) {
    return (error as Error).message.replace(/^The interrupted run in .* cannot be resumed: /, '');
  }
}

describe('an interrupted run that cannot be resumed', () => {
  const cases: [was: Options, is: Options, message: string | null][] = [
    [{ sampleRate: 8000 }, {}, '--rate was 8000 and is now not set'],
    [{}, { header: false }, '--no-header was not set and is now set'],
    [{ augment: false }, {}, '--no-augment was set and is now not set'],
    [{}, { ngrams: false }, '--no-ngrams was not set and is now set'],
    [
      { colour: true },
      { colour: false },
      '--colour was set and is now not set; --grey was not set and is now set',
    ],
    [{ frameSize: [48, 64] }, {}, '--frame-size was 48x64 and is now not set'],
    [{ framesPerClip: 4 }, { framesPerClip: 5 }, '--frames-per-clip was 4 and is now 5'],
    [{ opticalDifference: true }, {}, '--optical-difference was set and is now not set'],
    [{ 'learning-rate': 1 }, { 'learning-rate': 2 }, '--learning-rate was 1 and is now 2'],
    [{ baselines: ['ets'] }, { baselines: [] }, '--baselines was ets and is now none'],
    [{ thousands: ' ' }, {}, '--thousands was space and is now not set'],
    [{ refit: false }, { refit: undefined }, null],
  ];
  for (const [was, is, message] of cases) {
    test(message ?? 'an option that is not set either way is no difference', async () => {
      const expected =
        message && `${message}. Restore the previous options and data, or start over without --resume.`;
      assert.equal(await messageFor({ options: was }, { options: is }), expected);
    });
  }

  test('names the version to use', async () => {
    const version = 'the Unroll version was 0.0.9 and is now 0.1.0';
    assert.equal(
      await messageFor({ version: '0.0.9' }, {}),
      `${version}. Use Unroll 0.0.9, or start over without --resume.`,
    );
    assert.equal(
      await messageFor({ version: '0.0.9', data: 'x' }, {}),
      `the data have changed; ${version}. Restore the previous options and data and use Unroll 0.0.9, or start over without --resume.`,
    );
  });
});
