// Checks both READMEs: the program and its output are up to date, and the names, commands and links exist.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { block, printed, program, read, readmes } from './readme.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

for (const readme of readmes) {
  test(`${readme} shows ${program}`, () => {
    assert.equal(block(readme, program), read(program).trimEnd());
  });
}

test('the program has the output that the READMEs show', () => {
  const output = printed('examples/dist/quick-start.js');
  for (const readme of readmes) assert.equal(block(readme, `output of ${program}`), output);
});

test('both READMEs show the same output of npm start', () => {
  assert.ok(block(readmes[0], 'output of npm start').includes('seasonal-naive'));
  assert.equal(block(readmes[1], 'output of npm start'), block(readmes[0], 'output of npm start'));
});

test('both READMEs have the 23 rows of the feature table', () => {
  for (const readme of readmes) assert.equal(read(readme).match(/^\| \d+ \|/gm)?.length, 23);
});

/** Returns the rows of the feature table as { number, available }, with the text of the third column. */
const rows = (readme) =>
  [...read(readme).matchAll(/^\| (\d+) \|[^|]*\|([^|]*)\|/gm)].map(([, number, available]) => ({
    number,
    available,
  }));
const spans = (text) => [...text.matchAll(/`([^`]+)`/g)].map(([, span]) => span);

/** Returns the public values, the members of `losses`, and the names of all properties in the type declarations. */
const publicNames = async () => {
  const entries = await Promise.all(
    [
      'unrolljs',
      'unrolljs/audio',
      'unrolljs/node',
      'unrolljs/forecast',
      'unrolljs/insight',
      'unrolljs/pipeline',
    ].map((entry) => import(entry)),
  );
  const declarations = ['core', 'nn', 'train', 'data', 'insight', 'unrolljs'].flatMap((name) => {
    const folder = join(root, 'packages', name, 'dist');
    return readdirSync(folder, { recursive: true })
      .filter((file) => file.endsWith('.d.ts'))
      .map((file) => readFileSync(join(folder, file), 'utf8'));
  });
  const options = declarations.flatMap((text) =>
    [...text.matchAll(/^ +(?:readonly )?(\w+)\??: /gm)].map(([, name]) => name),
  );
  const losses = Object.keys(entries[0].losses).map((name) => `losses.${name}`);
  return new Set([...entries.flatMap(Object.keys), ...losses, ...options]);
};

test('names in the feature tables are public, and the commands and their options exist', async () => {
  const names = await publicNames();
  const help = (...args) => printed(['packages/cli/bin/unroll.js', ...args, '--help'].join(' '));
  // Only `unroll train` has a help text for each task.
  const helpOf = (command, task) => (command === 'train' ? help(command, task.trim()) : help(command));
  const commands = help();
  for (const readme of readmes) {
    for (const span of rows(readme).flatMap(({ available }) => spans(available))) {
      const [, command, task, rest] = /^unroll (\w+)((?: \w+)?)(.*)/.exec(span) ?? [];
      if (command) {
        assert.match(commands, new RegExp(`^ +${command} `, 'm'), `${readme}: \`${span}\``);
        for (const [flag] of rest.matchAll(/--[\w-]+/g))
          assert.ok(helpOf(command, task).includes(flag), `${readme}: \`${span}\``);
      } else {
        // Checks each name in a call such as `model({ inputs, outputs })`.
        for (const [name] of span.matchAll(/[A-Za-z_][\w.]*/g))
          assert.ok(names.has(name), `${readme}: \`${name}\` is not public`);
      }
    }
  }
});

test('the feature tables of both READMEs have the same code in every row', () => {
  const [first, second] = readmes.map((readme) =>
    rows(readme).map(({ number, available }) => ({ number, code: spans(available) })),
  );
  assert.deepEqual(second, first);
});

test('every file that the READMEs link to exists', () => {
  for (const readme of readmes) {
    const links = [...read(readme).matchAll(/\]\(([^)#\s]+)/g)].map(([, link]) => link);
    assert.ok(links.length > 5);
    for (const link of links.filter((target) => !/^https?:/.test(target)))
      assert.ok(existsSync(join(root, link)), `${readme}: ${link}`);
  }
});
