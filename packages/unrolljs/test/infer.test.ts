import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

/** Where `specifier`, written in `file`, leads in Node. */
function resolve(specifier: string, file: string): string {
  if (specifier.startsWith('.')) return new URL(specifier, file).href;
  if (!specifier.startsWith('#')) return import.meta.resolve(specifier);
  const root = file.slice(0, file.indexOf('/dist/') + 1);
  const { imports } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as {
    imports: Record<string, { default: string }>;
  };
  return new URL(imports[specifier]!.default, root).href;
}

/** Every module that a file imports, statically or not, directly or further down, as file URLs. */
function graph(entry: string, seen = new Set<string>()): Set<string> {
  if (seen.has(entry) || !entry.startsWith('file:')) return seen;
  seen.add(entry);
  const source = readFileSync(fileURLToPath(entry), 'utf8');
  for (const [, specifier] of source.matchAll(/(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g)) {
    if (/^[.#@]|^unrolljs/.test(specifier!)) graph(resolve(specifier!, entry), seen);
  }
  return seen;
}

test('unrolljs/infer pulls in no trainer', () => {
  const files = [...graph(import.meta.resolve('unrolljs/infer'))];
  assert.ok(
    files.some((file) => file.includes('/core/dist/predict.js')),
    'the walk reaches core',
  );
  assert.deepEqual(
    files.filter((file) => file.includes('/train/')),
    [],
  );
  const whole = [...graph(import.meta.resolve('unrolljs'))];
  assert.ok(
    whole.some((file) => file.includes('/train/dist/train.js')),
    'the walk finds a trainer where there is one',
  );
});
