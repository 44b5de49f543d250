// Pages made of the packages as npm packs them: bundled by Vite and by esbuild, as modules and as classic scripts, and
// run in Chromium. Nothing of this repository but the tarballs is in them.
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

/** Runs a body of a program and sends what it returns, or why it failed, to the test. */
const reporting = (body) => `
  const send = (text: unknown) => fetch(location.origin + '/report', { method: 'POST', body: String(text) });
  const main = async () => { ${body} };
  main().then(send, (error) => send(error?.stack ?? error));`;

/** The quick start as it is, in a page; its console is what the page reports. */
const TRAINING = reporting(`
  const lines: unknown[] = [];
  console.log = (line: unknown) => lines.push(line);
  await import('./quick-start.ts');
  return lines.join('\\n');`);

const INPUT = '[[[1], [0.5], [-1]]]';
const inferring = (before = '') => `
  import { Dense, kernelsAt, loadWith, LstmCell } from 'unrolljs/infer';
  ${reporting(`${before}
  const model = await loadWith(location.origin + '/model', [LstmCell, Dense]);
  return Array.from(await (await model.predict(${INPUT})).data()).join();`)}`;

const html = (script) =>
  `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><body>${script}`;
const moduleScript = (src) => html(`<script type="module" src="${src}"></script>`);

describe('in a browser', { skip: chromium ? false : NO_CHROMIUM }, () => {
  const project = makeProject();
  const { folder, modules, write, run } = project;
  after(project.remove);
  let wanted; // what the saved model predicts in Node

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
    wanted = run('save.js').split(',').map(Number);
  });

  const bundle = (contents, options) =>
    esbuild({
      ...{ stdin: { contents, resolveDir: folder, loader: 'ts' }, bundle: true, logLevel: 'silent' },
      ...options,
    });

  const checkPrediction = ({ report }) => {
    const found = report.split(',').map(Number);
    assert.equal(found.length, wanted.length, report);
    for (const [i, value] of found.entries()) assert.ok(Math.abs(value - wanted[i]) < 1e-5, report);
  };
  const fetched = ({ found }) =>
    found.filter((path) => path.endsWith('.wasm')).map((path) => path.split('/').at(-1));
  const open = (site, path, options) => openPage(chromium, { folder: join(folder, site), path, ...options });
  /** A folder with the model, and a copy of the kernels at `kernels` where one is named. */
  const makeSite = (site, kernels) => {
    cpSync(join(folder, 'public'), join(folder, site), { recursive: true });
    if (kernels)
      cpSync(join(modules, '@unroll/kernels/dist'), join(folder, site, kernels), { recursive: true });
  };

  test('Vite: a page that trains and one that infers, with nothing to configure', async () => {
    write('train.ts', TRAINING);
    write('infer.ts', inferring());
    write('train.html', moduleScript('/train.ts'));
    write('infer.html', moduleScript('/infer.ts'));
    const input = ['train.html', 'infer.html'].map((name) => join(folder, name));
    const build = { outDir: 'vite', rollupOptions: { input } };
    await vite({ root: folder, configFile: false, logLevel: 'error', build });
    const trained = await open('vite', '/train.html');
    checkQuickStart(trained.report);
    assert.match(fetched(trained).join(), /^kernels-[\w-]+\.wasm$/);
    const inferred = await open('vite', '/infer.html', { isolated: true, fallback: true });
    checkPrediction(inferred);
    assert.match(fetched(inferred).join(), /^kernels-infer-threads-[\w-]+\.wasm$/);
    assert.ok(
      inferred.found.some((path) => /worker-browser/.test(path)),
      inferred.found.join(),
    );
  });

  test('esbuild: a page that trains, the .wasm files beside its script', async () => {
    makeSite('esbuild-train', 'scripts');
    write('esbuild-train/index.html', moduleScript('/scripts/app.js'));
    await bundle(TRAINING, { format: 'esm', outfile: join(folder, 'esbuild-train/scripts/app.js') });
    const page = await open('esbuild-train', '/index.html');
    checkQuickStart(page.report);
    assert.deepEqual(fetched(page), ['kernels.wasm']);
  });

  test('esbuild: a page that infers, on threads, told where the kernels are', async () => {
    makeSite('esbuild-infer', 'kernels');
    write('esbuild-infer/index.html', moduleScript('/app.js'));
    await bundle(inferring("kernelsAt('/kernels/');"), {
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

  test('a classic script and a classic worker find the kernels beside themselves', async () => {
    makeSite('classic', 'scripts');
    write('classic/page.html', html('<script src="/scripts/app.js"></script>'));
    write('classic/worker.html', html("<script>new Worker('/scripts/app.js')</script>"));
    await bundle(inferring(), { format: 'iife', outfile: join(folder, 'classic/scripts/app.js') });
    for (const path of ['/page.html', '/worker.html']) {
      const page = await open('classic', path);
      checkPrediction(page);
      assert.ok(page.found.includes('/scripts/kernels-infer.wasm'), page.found.join());
    }
  });

  test('a worker made of a blob: the error says what to do, and kernelsAt helps', async () => {
    makeSite('blob', 'kernels');
    for (const [name, before] of [
      ['lost', ''],
      ['found', "kernelsAt('/kernels/');"],
    ]) {
      const make = `fetch('/${name}.js').then((r) => r.blob()).then((blob) => new Worker(URL.createObjectURL(blob)))`;
      write(`blob/${name}.html`, html(`<script>${make}</script>`));
      await bundle(inferring(before), { format: 'iife', outfile: join(folder, `blob/${name}.js`) });
    }
    assert.match(
      (await open('blob', '/lost.html')).report,
      /KernelLoadError: http\S+\/kernels-infer\.wasm could not be loaded: status 404\. .* call kernelsAt\(folder\); a content security policy/,
    );
    checkPrediction(await open('blob', '/found.html'));
  });

  test('the page of docs/getting-started.md shows what it says', async () => {
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
