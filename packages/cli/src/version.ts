/** What the package says of itself. Beside src, so that `../package.json` is right for the bundle too. */
import { readFileSync } from 'node:fs';

interface Manifest {
  version: string;
  peerDependencies: Record<string, string>;
}

export function manifest(): Manifest {
  return JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as Manifest;
}

/** The version of Unroll. */
export const version = (): string => manifest().version;
