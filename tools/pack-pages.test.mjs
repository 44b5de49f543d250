// Tests the packages, as npm would publish them, in web pages: installs the tarballs of npm pack in a project, bundles pages
// with Vite and with esbuild, as modules and as classic scripts, and runs the pages in Chromium.
import assert from 'node:assert/strict';
import { cpSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { findChromium, NO_CHROMIUM } from '@unroll/testkit/chromium';
import { build as esbuild } from 'esbuild';
import { build as vite } from 'vite';
import { makeProject, programsIn } from './packed.mjs';
import { openPage } from './page.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const chromium = findChromium();

const checkQuickStart = (text) => {
  const [, forecast, actual] = /forecast (\S+), actual (\S+)/.exec(text) ?? assert.fail(text);
  assert.ok(Math.abs(forecast - actual) < 0.05, text);
};

/** Returns a program that runs `body` and sends its return value, or its error, to the test. */
const reportingProgram = (body) => `
  const send = (text: unknown) => fetch(location.origin + '/report', { method: 'POST', body: String(text) });
  const main = async () => { ${body} };
  main().then(send, (error) => send(error?.stack ?? error));`;

/** A program that runs the quick start in a page and reports its console output. */
const TRAINING_PROGRAM = reportingProgram(`
  const lines: unknown[] = [];
  console.log = (line: unknown) => lines.push(line);
  await import('./quick-start.ts');
  return lines.join('\\n');`);

const INPUT = '[[[1], [0.5], [-1]]]';
/** Returns a program that loads the saved model and reports its prediction. @param setup code to run first */
const inferringProgram = (setup = '') => `
  import { Dense, kernelsAt, loadWith, LstmCell } from 'unrolljs/infer';
  ${reportingProgram(`${setup}
  const model = await loadWith(location.origin + '/model', [LstmCell, Dense]);
  return Array.from(await (await model.predict(${INPUT})).data()).join();`)}`;

const html = (script) =>
  `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><body>${script}`;
const moduleScript = (src) => html(`<script type="module" src="${src}"></script>`);

describe('in a browser', { skip: chromium ? false : NO_CHROMIUM }, () => {
  const project = makeProject();
  const { folder, modules, write, run } = project;
  after(project.remove);
  let expected; // the prediction of the saved model in Node

  before(() => {
    cpSync(join(root, 'examples/quick-start.ts'), join(folder, 'quick-start.ts'));
    write(
      'save.js',
      `import { dense, lstm, sequential } from 'unrolljs';
      const model = sequential([lstm({ units: 8 }), dense({ units: 2 })], { seed: 1 });
      const y = await (await model.predict(${INPUT})).data();
      await model.save('public/model');
      console.log(Array.from(y).join());`,
    );
    expected = run('save.js').split(',').map(Number);
  });

  const bundle = (contents, options) =>
    esbuild({
      ...{ stdin: { contents, resolveDir: folder, loader: 'ts' }, bundle: true, logLevel: 'silent' },
      ...options,
    });

  const checkPrediction = ({ report }) => {
    const prediction = report.split(',').map(Number);
    assert.equal(prediction.length, expected.length, report);
    for (const [i, value] of prediction.entries()) assert.ok(Math.abs(value - expected[i]) < 1e-5, report);
  };
  /** Returns the names of the .wasm files that a page loaded. */
  const wasmFilesOf = ({ found }) =>
    found.filter((path) => path.endsWith('.wasm')).map((path) => path.split('/').at(-1));
  const open = (site, path, options) => openPage(chromium, { folder: join(folder, site), path, ...options });
  /** Creates the folder `site` with the model. @param kernelsFolder subfolder for a copy of the kernels; undefined: no copy */
  const makeSite = (site, kernelsFolder) => {
    cpSync(join(folder, 'public'), join(folder, site), { recursive: true });
    if (kernelsFolder)
      cpSync(join(modules, '@unroll/kernels/dist'), join(folder, site, kernelsFolder), { recursive: true });
  };

  test('Vite bundles a page that trains and one that infers, without configuration', async () => {
    write('train.ts', TRAINING_PROGRAM);
    write('infer.ts', inferringProgram());
    write('train.html', moduleScript('/train.ts'));
    write('infer.html', moduleScript('/infer.ts'));
    const input = ['train.html', 'infer.html'].map((name) => join(folder, name));
    const build = { outDir: 'vite', rollupOptions: { input } };
    await vite({ root: folder, configFile: false, logLevel: 'error', build });
    const trained = await open('vite', '/train.html');
    checkQuickStart(trained.report);
    assert.match(wasmFilesOf(trained).join(), /^kernels-[\w-]+\.wasm$/);
    const inferred = await open('vite', '/infer.html', { isolated: true, fallback: true });
    checkPrediction(inferred);
    assert.match(wasmFilesOf(inferred).join(), /^kernels-infer-threads-[\w-]+\.wasm$/);
    assert.ok(
      inferred.found.some((path) => /worker-browser/.test(path)),
      inferred.found.join(),
    );
  });

  test('esbuild bundles a page that trains, with the .wasm files in the folder of its script', async () => {
    makeSite('esbuild-train', 'scripts');
    write('esbuild-train/index.html', moduleScript('/scripts/app.js'));
    await bundle(TRAINING_PROGRAM, { format: 'esm', outfile: join(folder, 'esbuild-train/scripts/app.js') });
    const page = await open('esbuild-train', '/index.html');
    checkQuickStart(page.report);
    assert.deepEqual(wasmFilesOf(page), ['kernels.wasm']);
  });

  test('esbuild bundles a page that infers with threads, with the kernels in the folder passed to kernelsAt', async () => {
    makeSite('esbuild-infer', 'kernels');
    write('esbuild-infer/index.html', moduleScript('/app.js'));
    await bundle(inferringProgram("kernelsAt('/kernels/');"), {
      ...{ format: 'esm', outfile: join(folder, 'esbuild-infer/app.js') },
    });
    const page = await open('esbuild-infer', '/index.html', { isolated: true });
    checkPrediction(page);
    assert.deepEqual(
      page.missing.filter((path) => path.startsWith('/kernels/')),
      [],
    );
    assert.ok(page.found.includes('/kernels/kernels-infer-threads.wasm'), page.found.join());
    assert.ok(page.found.includes('/kernels/worker-browser.js'), page.found.join());
  });

  test('a classic script and a classic worker find the kernels in their own folder', async () => {
    makeSite('classic', 'scripts');
    write('classic/page.html', html('<script src="/scripts/app.js"></script>'));
    write('classic/worker.html', html("<script>new Worker('/scripts/app.js')</script>"));
    await bundle(inferringProgram(), { format: 'iife', outfile: join(folder, 'classic/scripts/app.js') });
    for (const path of ['/page.html', '/worker.html']) {
      const page = await open('classic', path);
      checkPrediction(page);
      assert.ok(page.found.includes('/scripts/kernels-infer.wasm'), page.found.join());
    }
  });

  test('a worker created from a blob needs kernelsAt, as its error message says', async () => {
    makeSite('blob', 'kernels');
    for (const [name, setup] of [
      ['lost', ''],
      ['found', "kernelsAt('/kernels/');"],
    ]) {
      const script = `fetch('/${name}.js').then((r) => r.blob()).then((blob) => new Worker(URL.createObjectURL(blob)))`;
      write(`blob/${name}.html`, html(`<script>${script}</script>`));
      await bundle(inferringProgram(setup), { format: 'iife', outfile: join(folder, `blob/${name}.js`) });
    }
    assert.match(
      (await open('blob', '/lost.html')).report,
      /KernelLoadError: http\S+\/kernels-infer\.wasm could not be loaded: status 404\. .* call kernelsAt\(folder\); a content security policy/,
    );
    checkPrediction(await open('blob', '/found.html'));
  });

  test('the page of docs/getting-started.md shows the documented text', async () => {
    const programs = Object.fromEntries(
      programsIn('docs/getting-started.md').map(({ name, code }) => [name, code]),
    );
    write('guide/train.mjs', programs['train.mjs']);
    run('guide/train.mjs'); // saves to public/wave
    write('guide/index.html', programs['index.html']);
    const report = "fetch('/report', { method: 'POST', body: document.querySelector('p').textContent });";
    write('guide/main.js', programs['main.js'] + report);
    await vite({
      ...{ root: join(folder, 'guide'), publicDir: join(folder, 'public') },
      ...{ configFile: false, logLevel: 'error' },
    });
    const page = await open('guide/dist', '/index.html', { fallback: true });
    const [, forecast, actual] =
      /^Step 1199: forecast (\S+), actual (\S+)$/.exec(page.report) ?? assert.fail(page.report);
    assert.ok(Math.abs(forecast - actual) < 0.05, page.report);
  });
});
