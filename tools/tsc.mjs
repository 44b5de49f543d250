// Compiles all packages of the workspace with the version of TypeScript that package.json requires.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** Runs `tsc -b`, which updates all dist and dist-test folders. Returns the compiler's name and version. Throws on errors. */
export const compileTypeScript = () => {
  const require = createRequire(import.meta.url);
  let manifest;
  try {
    manifest = require.resolve('typescript/package.json');
  } catch {
    throw new Error('typescript is missing: run `npm install --include=dev`');
  }
  const { status, error } = spawnSync(process.execPath, [join(dirname(manifest), 'bin/tsc'), '-b'], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (error) throw error;
  if (status !== 0) throw new Error('TypeScript errors, see above');
  return `tsc ${require('typescript/package.json').version}`;
};
