// The READMEs show the program that is in examples/ and what it prints, in both languages.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { block, printed, program, read, readmes } from './readme.mjs';

for (const readme of readmes) {
  test(`${readme} shows ${program} as it is`, () => {
    assert.equal(block(readme, program), read(program).trimEnd());
  });
}

test('the program prints what the READMEs say', () => {
  const output = printed('examples/dist/quick-start.js');
  for (const readme of readmes) assert.equal(block(readme, `output of ${program}`), output);
});

test('both READMEs show the same output of npm start', () => {
  assert.ok(block(readmes[0], 'output of npm start').includes('seasonal-naive'));
  assert.equal(block(readmes[1], 'output of npm start'), block(readmes[0], 'output of npm start'));
});

test('both READMEs have a row for each of the 23 things articles describe', () => {
  for (const readme of readmes) assert.equal(read(readme).match(/^\| \d+ \|/gm)?.length, 23);
});
