// Builds the page of packages/studio with Vite if anything that the page consists of has changed since the last build.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const studioFolder = join(root, 'packages/studio');
const stamp = join(studioFolder, 'dist/.stamp');

const filesIn = (folder, accepts) =>
  existsSync(folder)
    ? readdirSync(folder, { recursive: true })
        .map((name) => join(folder, name))
        .filter((file) => accepts.test(file) && !file.endsWith('.bundle.js') && statSync(file).isFile())
        .sort()
    : [];

/** Returns a hash of the sources of the page and of the built packages that it contains. */
const fingerprint = () => {
  const { devDependencies } = JSON.parse(readFileSync(join(studioFolder, 'package.json'), 'utf8'));
  const packages = [
    'kernels',
    'data',
    ...Object.keys(devDependencies).map((name) => name.replace('@unroll/', '')),
  ];
  const files = [
    ...['index.html', 'package.json', 'vite.config.mjs'].map((name) => join(studioFolder, name)),
    ...filesIn(join(studioFolder, 'src'), /./),
    ...packages.flatMap((name) => filesIn(join(root, 'packages', name, 'dist'), /\.(js|wasm)$/)),
  ];
  const hash = createHash('sha256');
  for (const file of files) hash.update(`${file.slice(root.length)}\n`).update(readFileSync(file));
  return hash.digest('hex');
};

const kB = (bytes) => `${(bytes / 1000).toFixed(0)} kB`;

/**
 * Returns the gzipped size of what the page loads first: the files that index.html names, the worker, and one build of the kernels.
 * Parts that are loaded on demand do not count.
 */
export const firstLoad = () => {
  const dist = join(studioFolder, 'dist');
  const html = readFileSync(join(dist, 'index.html'), 'utf8');
  const named = [...html.matchAll(/(?:src|href)="\.\/(assets\/[^"]+)"/g)].map(([, file]) => file);
  const assets = readdirSync(join(dist, 'assets'));
  const worker = assets.filter((file) => /^worker-[\w-]{8}\.js$/.test(file));
  const kernels = assets.filter((file) => /^kernels-[\w-]{8}\.wasm$/.test(file));
  const files = new Set(['index.html', ...named, ...[...worker, ...kernels].map((file) => `assets/${file}`)]);
  // The loop also visits the files that it adds to the set: the static imports of scripts.
  for (const file of files) {
    if (!file.endsWith('.js')) continue;
    const text = readFileSync(join(dist, file), 'utf8');
    for (const [, name] of text.matchAll(/(?:from|import)\s*"\.\/([^"]+\.js)"/g)) files.add(`assets/${name}`);
  }
  const size = (file) => gzipSync(readFileSync(join(dist, file)), { level: 9 }).length;
  const parts = [...files].map((file) => [file, size(file)]);
  return { parts, total: parts.reduce((sum, [, bytes]) => sum + bytes, 0) };
};

/** Builds the page if necessary. Returns a line of text for the build output. */
export const buildStudio = async () => {
  const current = fingerprint();
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === current) return 'up to date';
  const { build } = await import('vite');
  await build({ configFile: join(studioFolder, 'vite.config.mjs') });
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, current);
  return `first load ${kB(firstLoad().total)} gzipped`;
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log(await buildStudio());
  for (const [file, bytes] of firstLoad().parts) console.log(`${String(bytes).padStart(8)}  ${file}`);
}
