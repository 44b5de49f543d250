/** The files that commands write. */
import assert from 'node:assert/strict';
import fs, { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkWritable, writeAtomically } from '@unroll/cli/internal';

test('all files are flushed to disk before the first one is renamed', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'unroll-files-'));
  const calls: string[] = [];
  const { fsyncSync, renameSync } = fs;
  t.mock.method(fs, 'fsyncSync', (file: number) => {
    calls.push('flush');
    fsyncSync(file);
  });
  t.mock.method(fs, 'renameSync', (from: string, to: string) => {
    calls.push('rename');
    renameSync(from, to);
  });
  syncBuiltinESMExports();
  try {
    const files = { 'forecast.csv': 'a,b\n', 'model/config.json': Uint8Array.of(123, 125) };
    writeAtomically(folder, new Map(Object.entries(files)));
    assert.deepEqual(calls, ['flush', 'flush', 'rename', 'rename']);
    assert.deepEqual(readdirSync(folder).sort(), ['forecast.csv', 'model']);
    assert.equal(readFileSync(join(folder, 'model/config.json'), 'utf8'), '{}');
  } finally {
    t.mock.restoreAll();
    syncBuiltinESMExports();
    rmSync(folder, { recursive: true });
  }
});

test('a folder that accepts no new files is named in the error', {
  skip: process.platform !== 'linux',
}, () => {
  assert.throws(() => writeAtomically('/proc', new Map([['a.csv', 'a']])), {
    message: '/proc/a.csv: no files can be created in /proc.',
  });
  // mkdir with the option recursive would never return.
  assert.throws(() => writeAtomically('/proc/model', new Map([['weights/a.csv', 'a']])), {
    message: '/proc/model/weights: no files can be created in /proc.',
  });
});

test('a link to a missing folder is named as such', { skip: process.platform === 'win32' }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'unroll-files-'));
  const link = join(folder, 'link');
  symlinkSync(join(folder, 'nowhere'), link);
  const files = new Map([['a.csv', 'a']]);
  assert.throws(() => writeAtomically(link, files), {
    message: `${link}: this is a link to a missing folder.`,
  });
  assert.throws(() => writeAtomically(join(link, 'model'), files), {
    message: `${join(link, 'model')}: ${link} is a link to a missing folder.`,
  });
  rmSync(folder, { recursive: true });
});

test('a folder that another process creates at the same time is not an error', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'unroll-files-'));
  const { mkdirSync } = fs;
  t.mock.method(fs, 'mkdirSync', (path: string) => {
    mkdirSync(path); // by the other process
    mkdirSync(path);
  });
  syncBuiltinESMExports();
  try {
    writeAtomically(join(folder, 'runs/a'), new Map([['a.csv', 'a']]));
    assert.equal(readFileSync(join(folder, 'runs/a/a.csv'), 'utf8'), 'a');
  } finally {
    t.mock.restoreAll();
    syncBuiltinESMExports();
    rmSync(folder, { recursive: true });
  }
});

test('a check for write access leaves no file, and removes the file of a check that was killed', () => {
  const folder = mkdtempSync(join(tmpdir(), 'unroll-files-'));
  try {
    writeFileSync(join(folder, '.unroll.tmp'), ''); // what a killed check leaves
    checkWritable(folder, ['forecast.csv', 'model/config.json']);
    assert.deepEqual(readdirSync(folder), []);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
