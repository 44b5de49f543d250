/**
 * Runs Unroll on a small benchmark case (a network with its sizes) in headless Chromium. tools/test-browser.mjs runs this file
 * after a build.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { findChromium, NO_CHROMIUM } from '@unroll/testkit/chromium';
import { Agreement } from '../dist/agree.js';
import { closeChromium } from '../dist/chromium.js';
import { makeData } from '../dist/data.js';
import { writeData } from '../dist/data-node.js';
import { engineSpec } from '../dist/engines.js';
import { EngineProcess } from '../dist/process.js';
import { parseRow } from '../dist/rows.js';

const skip = findChromium() ? false : NO_CHROMIUM;
const folder = mkdtempSync(join(tmpdir(), 'unroll-bench-test-'));
after(() => {
  closeChromium();
  rmSync(folder, { recursive: true });
});

test('a benchmark case in a cross-origin isolated page: threads start, results are correct, and calls are timed', {
  skip,
  timeout: 60_000,
}, async () => {
  const engine = new EngineProcess(engineSpec('unroll-wasm@chromium', '').launch(2));
  const { browser, description } = await engine.ask({ do: 'hello' }, 30);
  assert.equal(browser.crossOriginIsolated, true);
  assert.match(browser.version, /^Chrome\/\d/);
  assert.match(description, /threads/);
  const row = parseRow('lstm-3-8-4-5');
  for (const mode of ['infer', 'train']) {
    const data = makeData(row, mode);
    const loaded = await engine.ask({
      do: 'load',
      row,
      mode,
      data: writeData(join(folder, 'row.bin'), data),
    });
    if (mode === 'infer') assert.equal(new Agreement(row, data).compareOrStore('page', loaded), null);
    else assert.ok(loaded.losses[2] < loaded.losses[0], `${loaded.losses}`);
    const { milliseconds } = await engine.ask({ do: 'round', calls: 50 });
    assert.ok(milliseconds > 0 && milliseconds < 1000, `${milliseconds} ms`);
  }
  engine.stop();
});

test('an engine that does not start reports the reason, and a stopped engine starts again', {
  skip,
  timeout: 60_000,
}, async () => {
  const wrong = new EngineProcess(engineSpec('unroll-wasm@chromium', '').launch(99));
  await assert.rejects(wrong.ask({ do: 'hello' }, 30), /of 99 threads started/);
  wrong.stop();
  const engine = new EngineProcess(engineSpec('unroll-wasm:single@chromium', '').launch(1));
  await engine.ask({ do: 'hello' }, 30);
  engine.stop();
  await engine.ask({ do: 'hello' }, 30);
});
