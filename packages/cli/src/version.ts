/** Reads the manifest of the package. This file is directly in src, so `../package.json` is also correct in the bundle. */
import { readFileSync } from 'node:fs';

interface Manifest {
  version: string;
  peerDependencies: Record<string, string>;
}

export function manifest(): Manifest {
  return JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as Manifest;
}

/** Returns the version of Unroll. */
export const version = (): string => manifest().version;
