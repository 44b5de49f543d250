/**
 * The public names of the entry points in names.ts. Detects a name that became public or private by accident. Other tests
 * cover what the names do.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { names } from './names.js';

const words = (list: string): string[] => list.trim().split(/\s+/);

/** Returns the names in the export lists of a declaration file, as `type Name`, `Name` or `a as Name`. */
function declared(entry: string): { types: string[]; values: string[] } {
  const file = fileURLToPath(new URL(`../dist/${entry}.d.ts`, import.meta.url));
  const source = readFileSync(file, 'utf8').replace(/\/\*[\s\S]*?\*\//g, '');
  const types: string[] = [];
  const values = [...source.matchAll(/^export declare (?:async )?function (\w+)/gm)].map(([, name]) => name);
  for (const [, onlyTypes, list] of source.matchAll(/^export (type )?\{([^}]*)\}/gm)) {
    for (const item of list.split(',').map((one) => one.trim())) {
      if (item === '') continue;
      const name = item.replace(/^type /, '').replace(/^\w+ as /, '');
      (onlyTypes || item.startsWith('type ') ? types : values).push(name);
    }
  }
  assert.doesNotMatch(source, /^export \*/m, `${entry}: every name must be in an export list`);
  return { types: types.sort(), values: values.sort() };
}

for (const { entry, file, values, types } of names) {
  test(`the public names of ${entry}`, async () => {
    const found = Object.keys((await import(entry)) as object).sort();
    assert.deepEqual(found, words(values));
    assert.deepEqual(declared(file).values, words(values));
    assert.deepEqual(declared(file).types, words(types));
  });
}
