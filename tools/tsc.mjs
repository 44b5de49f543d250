// Runs the TypeScript compiler of package.json over the workspace's projects, with this Node.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** Runs `tsc -b`, which updates every dist and dist-test. Returns the name and version of the compiler; throws if it fails. */
export const compileTypeScript = () => {
  const require = createRequire(import.meta.url);
  let manifest;
  try {
    manifest = require.resolve('typescript/package.json');
  } catch {
    throw new Error('typescript is missing: run `npm install` with its dev dependencies');
  }
  const { status, error } = spawnSync(process.execPath, [join(dirname(manifest), 'bin/tsc'), '-b'], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (error) throw error;
  if (status !== 0) throw new Error('tsc found the errors above');
  return `tsc ${require('typescript/package.json').version}`;
};
