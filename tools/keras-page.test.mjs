// Tests `importKeras` in a page: a model from a File object gives the outputs of Keras, also after it is exported and imported
// again, and a damaged file gives an error.
import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { fromZip } from '@unroll/formats';
import { findChromium, NO_CHROMIUM } from '@unroll/testkit/chromium';
import { build } from 'esbuild';
import { openPage } from './page.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const goldens = join(root, 'packages/testkit/goldens/formats/keras');
const chromium = findChromium();
const folder = mkdtempSync(join(tmpdir(), 'unroll-keras-page-'));
after(() => rmSync(folder, { recursive: true }));

const NAMES = ['functional_masked.keras', 'functional_masked.h5'];

/** Writes a page that imports both files, exports and re-imports them, and reports the outputs, and the errors for damaged files. */
const writePage = async ({ inputs: [x] }) => {
  const script = `import { importKeras, exportKeras } from 'unrolljs/convert';
    import { tensor } from 'unrolljs';
    const values = new Float32Array(Uint8Array.from(atob('${x.data}'), (c) => c.charCodeAt(0)).buffer);
    const main = async () => {
      const results = {};
      for (const name of ${JSON.stringify(NAMES)}) {
        const blob = await (await fetch('/' + name)).blob();
        const { model } = await importKeras(new File([blob], name));
        const y = async (network) => [...await (await network.predict(tensor(values, ${JSON.stringify(x.shape)}))).data()];
        results[name] = await y(model);
        const again = await importKeras(await exportKeras(model));
        results['again ' + name] = await y(again.model);
        const damaged = new Uint8Array(await blob.arrayBuffer()).subarray(0, 3000);
        results['damaged ' + name] = await importKeras(damaged).then(() => 'loaded', (error) => error.name + ' ' + error.code);
      }
      return JSON.stringify(results);
    };
    const send = (body) => fetch('/report', { method: 'POST', body });
    main().then(send, (error) => send(String(error?.stack ?? error)));`;
  await build({
    ...{ bundle: true, format: 'esm', platform: 'browser', target: 'es2022', logLevel: 'error' },
    stdin: { contents: script, resolveDir: join(root, 'packages/unrolljs') },
    outfile: join(folder, 'app.js'),
  });
  for (const file of ['kernels.wasm', 'kernels-infer.wasm'])
    copyFileSync(join(root, 'packages/kernels/dist', file), join(folder, file));
  const page =
    '<!doctype html><link rel="icon" href="data:,"><body><script type="module" src="/app.js"></script>';
  writeFileSync(join(folder, 'index.html'), page);
};

test('Keras files in a page give the outputs of Keras', {
  skip: chromium ? false : NO_CHROMIUM,
}, async () => {
  const { cases } = JSON.parse(readFileSync(join(goldens, 'cases.json'), 'utf8'));
  const golden = cases.functional_masked;
  const files = await fromZip(readFileSync(join(goldens, 'files.zip')), NAMES);
  for (const [name, bytes] of files) writeFileSync(join(folder, name), bytes);
  await writePage(golden);
  const { report } = await openPage(chromium, { folder, path: '/index.html' });
  assert.match(report, /^\{/, report);
  const results = JSON.parse(report);
  const bytes = Uint8Array.from(Buffer.from(golden.outputs[0].data, 'base64'));
  const expected = new Float32Array(bytes.buffer);
  for (const name of NAMES) {
    assert.equal(results[`damaged ${name}`], 'UnrollError format');
    for (const y of [results[name], results[`again ${name}`]])
      expected.forEach((value, i) => {
        assert.ok(Math.abs(y[i] - value) <= 1e-5, `${name}: ${y[i]}, expected ${value}`);
      });
  }
});
