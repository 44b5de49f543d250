// Tests the page of packages/studio in headless Chromium: drives each of its parts by clicks and keys, and checks what it
// shows. In every test, the console must stay empty, all requests must go to the server of the page, and the content security policy
// must not be violated (studio-page.mjs records all three). All tests are in one file, because they share a browser and a server.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { findChromium, NO_CHROMIUM } from '@unroll/testkit/chromium';
import { makeTable, trainTranslator } from 'unrolljs/translate';
import { hostileModels } from './hostile-models.mjs';
import { firstLoad } from './studio.mjs';
import { openStudio, servePlain, startBrowser, startStudio } from './studio-page.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const skip = findChromium() ? false : NO_CHROMIUM;
const folder = mkdtempSync(join(tmpdir(), 'unroll-studio-'));
const closing = [() => rmSync(folder, { recursive: true })];
after(async () => {
  for (const close of closing.reverse()) await close();
});

let browser;
let server;

/** Opens the page, waits until the networks are built, runs `work`, and checks that nothing forbidden happened. */
const withPage = async (hash, work, { url = server.url, ...options } = {}) => {
  const { page, problems, context } = await openStudio(browser, new URL(hash, url).href, options);
  try {
    await page.waitForSelector('#engine[data-ready="true"]');
    await work(page);
    assert.deepEqual(problems, []);
  } finally {
    await context.close();
  }
};

// biome-ignore lint/performance/useDomNodeTextContent: a method of playwright, with line breaks as they are shown
const text = (page, selector) => page.locator(selector).first().innerText();
const updatesOf = async (page, cell) =>
  Number(/(\d+) updates/.exec(await text(page, `#lane-${cell}`))?.[1] ?? Number.NaN);

/** Waits until a function of the page returns true. */
const until = (page, work, argument, timeout = 30_000) => page.waitForFunction(work, argument, { timeout });

/** Trains until a cell has at least `count` updates, and pauses. */
const trainFor = async (page, cell, count) => {
  await page.click('#run');
  await until(
    page,
    ([id, n]) => {
      const state = document.querySelector(`#lane-${id} .lane-state`)?.textContent ?? '';
      return /solved/.test(state) || Number(/\d+/.exec(state)?.[0]) >= n;
    },
    [cell, count],
  );
  await page.click('#run');
  // The last updates may still be on their way.
  for (let before = ''; before !== (await text(page, '.lanes')); ) {
    before = await text(page, '.lanes');
    await page.waitForTimeout(400);
  }
};

/** Returns the number of different colours of a canvas. */
const colorsOf = (page, selector) =>
  page.evaluate((query) => {
    const canvas = document.querySelector(query);
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', {
      willReadFrequently: true,
    });
    copy.drawImage(canvas, 0, 0);
    const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
    return new Set(new Uint32Array(data.buffer)).size;
  }, selector);

const setRange = (page, selector, value) =>
  page.locator(selector).evaluate((input, next) => {
    input.value = next;
    input.dispatchEvent(new Event('input', { bubbles: true }));
  }, String(value));

/** Runs in the page: returns the English words that are shown or read by a screen reader, except names, code and user data. */
const englishIn = () => {
  const names =
    /^(RNN|LSTM|GRU|minGRU|CSV|JSON|NDJSON|SVG|WebAssembly|Unroll|Studio|Keras|PyTorch|ONNX|Dropout|Glorot|[Cc]hrono|Shift|Tab|tanh|ln|kB|zip|unroll|unrolljs|MAE|RMSE|English|[A-Z])$/;
  const layers = /^(rnn|lstm|gru|minGru|encoder|decoder|output|x|y)\d*$/;
  const skipped =
    'code, [lang="en"], textarea, .token, .tokens, .generated, .axis, .bar, #confusion th, #class-example > p, .node.input, .node.output, .graph, .equations, option[data-name]';
  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const { parentElement: parent } = node;
    if (parent.checkVisibility() && !parent.closest(skipped)) texts.push(node.nodeValue);
  }
  for (const element of document.querySelectorAll('[aria-label], [title], [placeholder], [alt]')) {
    if (element.closest(skipped) || !element.checkVisibility()) continue;
    for (const name of ['aria-label', 'title', 'placeholder', 'alt'])
      texts.push(element.getAttribute(name) ?? '');
  }
  const words = texts.flatMap((text) => text.match(/[A-Za-z][A-Za-z\d]*/g) ?? []);
  return [...new Set(words.filter((word) => word.length > 1 && !names.test(word) && !layers.test(word)))];
};

describe('the studio', { skip }, () => {
  before(async () => {
    server = await startStudio();
    closing.push(server.close);
    browser = await startBrowser();
    closing.push(() => browser.close());
  });

  test('trains cells side by side, with the same number of updates; pause, step, reset', () =>
    withPage('#preset=adding&cells=rnn,lstm,gru,minGru&length=100&units=8', async (page) => {
      for (const cell of ['rnn', 'lstm', 'gru', 'minGru']) assert.equal(await updatesOf(page, cell), 0);
      await trainFor(page, 'lstm', 30);
      const counts = await Promise.all(['rnn', 'lstm', 'gru', 'minGru'].map((cell) => updatesOf(page, cell)));
      assert.equal(new Set(counts).size, 1, `updates ${counts}`);
      await page.waitForTimeout(300);
      assert.equal(await updatesOf(page, 'lstm'), counts[0], 'a paused run must not continue');
      await page.click('#step');
      await until(
        page,
        (n) => document.querySelector('#lane-lstm')?.textContent.includes(`${n} updates`),
        counts[0] + 1,
      );
      await page.click('#reset');
      await until(page, () => document.querySelector('#lane-lstm')?.textContent.includes('0 updates'));
      assert.match(await text(page, '#engine'), /WebAssembly/);
    }));

  test('every setting is in the address, and opening an address restores the settings', () =>
    withPage('#preset=adding&cells=lstm&length=10&units=8', async (page) => {
      await setRange(page, '#knob-layers', 2);
      await setRange(page, '#knob-dropout', 0.25);
      await setRange(page, '#knob-clip', 0);
      await page.selectOption('#init', 'chrono');
      await page.fill('#knob-seed', '7');
      await page.press('#knob-seed', 'Enter');
      await page.click('#cell-gru');
      await page.click('#tab-gates');
      await page.waitForSelector('#layer');
      await page.selectOption('#layer', '1');
      await page.fill('#example', '3');
      await page.press('#example', 'Enter');
      await until(page, () => /view=gates.*example=3.*layer=2/.test(location.hash));
      const { hash } = new URL(page.url());
      const params = new URLSearchParams(hash.slice(1));
      const expected = {
        layers: '2',
        dropout: '0.25',
        clip: '0',
        init: 'chrono',
        seed: '7',
        cells: 'lstm,gru',
        view: 'gates',
      };
      for (const [name, value] of Object.entries(expected)) assert.equal(params.get(name), value, name);
      await withPage(hash, async (other) => {
        assert.equal(await other.inputValue('#knob-layers'), '2');
        assert.equal(await other.inputValue('#init'), 'chrono');
        assert.equal(await other.getAttribute('#tab-gates', 'aria-selected'), 'true');
        await other.waitForSelector('#layer');
        assert.equal(await other.inputValue('#layer'), '1');
        assert.equal(await other.inputValue('#example'), '3');
      });
    }));

  test('the learning rate and clipping change without a reset', () =>
    // The sequences are so long that the network does not solve the problem before the pause, even if the pause comes late. For
    // a network that has solved the problem, the page shows no number of updates.
    withPage('#preset=adding&cells=lstm&length=100&units=8', async (page) => {
      await trainFor(page, 'lstm', 20);
      const count = await updatesOf(page, 'lstm');
      await setRange(page, '#knob-learningRate', 1);
      await setRange(page, '#knob-clip', 1);
      await page.click('#step');
      await until(
        page,
        (n) => Number(/(\d+) updates/.exec(document.querySelector('#lane-lstm')?.textContent)?.[1]) > n,
        count,
      );
      await until(page, () => /LSTM 1e-4/.test(document.querySelector('#metric-rate .chart')?.ariaLabel));
    }));

  for (const preset of ['adding', 'copy', 'reverse', 'sine', 'passengers', 'characters', 'sentiment']) {
    test(`the preset ${preset} trains`, () =>
      withPage('#preset=adding&cells=lstm', async (page) => {
        await page.selectOption('#preset', preset);
        await trainFor(page, 'lstm', 5);
        assert.equal(await page.locator('#failure').count(), 0);
        await page.click('#tab-predictions');
        await page.waitForSelector('.view .view .panel');
      }));
  }

  test('trains on a pasted text; pasted lines without labels give an error that explains the format', () =>
    withPage('#preset=characters&cells=gru&units=8&length=8', async (page) => {
      await page.fill('#paste-text', 'ab'.repeat(60));
      await page.locator('#paste-text').blur();
      await trainFor(page, 'gru', 60);
      await page.click('#tab-predictions');
      await page.waitForSelector('#top-tokens .bar');
      await page.fill('#prompt', 'ab');
      await page.click('#generate-run');
      await until(page, () => /^(ab){20}/.test(document.querySelector('.generated')?.textContent));
      await page.selectOption('#preset', 'sentiment');
      await page.fill('#paste-lines', 'no labels here');
      await page.locator('#paste-lines').blur();
      await page.waitForSelector('#failure');
      assert.match(await text(page, '#failure'), /Each line must be a label/);
    }));

  test('a column of an opened CSV file is forecast', () =>
    withPage('#preset=csv&cells=gru&units=8&length=12', async (page) => {
      assert.match(await text(page, '#failure'), /CSV/);
      const rows = Array.from({ length: 120 }, (_, t) => `2020-${t},${Math.sin(t / 3).toFixed(4)},${t}`);
      const file = join(folder, 'waves.csv');
      writeFileSync(file, ['day,wave,trend', ...rows].join('\n'));
      await page.setInputFiles('#csv', file);
      await page.waitForSelector('#column');
      assert.deepEqual(await page.locator('#column option').allInnerTexts(), ['wave (120)', 'trend (120)']);
      await trainFor(page, 'gru', 150);
      await page.click('#tab-predictions');
      await page.waitForSelector('#forecast .scroll table');
      const mae = Number((await text(page, '#forecast td')).trim());
      assert.ok(mae < 0.3, `mean absolute error ${mae}`);
    }));

  test('unrolled network: hovering a step shows its equations with numbers; play and select a step', () =>
    withPage('#preset=adding&cells=lstm&length=12&units=6&layers=2&view=network', async (page) => {
      await page.waitForSelector('.node.cell');
      assert.equal(await page.locator('.node.cell').count(), 14, '7 steps of 2 layers');
      await page.hover('.node.cell[data-step="6"][data-layer="1"]');
      await until(page, () => /lstm2, Time step 7/.test(document.querySelector('#arithmetic')?.textContent));
      await page.waitForSelector('#arithmetic [data-name="c"]');
      const line = await text(page, '#arithmetic [data-name="c"] dd');
      const [, f, c0, i, g, c] = /= \(?(\S+?)\)?·\(?(\S+?)\)? \+ \(?(\S+?)\)?·\(?(\S+?)\)?\s+= (\S+)/
        .exec(line.replace('= f·c′ + i·g', '').replaceAll('−', '-'))
        .map(Number);
      assert.ok(Math.abs(f * c0 + i * g - c) < 2e-3, line);
      const shown = await text(page, '.node.cell[data-step="6"][data-layer="1"] .numbers');
      assert.ok(Math.abs(Number(/c (\S+)/.exec(shown)[1]) - c) < 1e-3, `${shown} and ${line}`);
      await setRange(page, '#time', 0);
      await until(page, () =>
        /Time step 1$/m.test(document.querySelector('#arithmetic .options')?.textContent),
      );
      await page.click('#play');
      await until(page, () => Number(document.querySelector('#time').value) >= 2);
      await page.click('#play');
      await page.focus('.node.cell[data-step="0"]');
      await until(page, () => document.querySelector('#time').value === '0');
    }));

  test('gates: a heat map for each gate and state; order, threshold and selection of units', () =>
    withPage('#preset=adding&cells=rnn,lstm,gru&length=20&units=10&view=gates', async (page) => {
      await page.waitForSelector('[data-gate="f"] canvas');
      const gates = () => page.locator('.map').evaluateAll((maps) => maps.map((map) => map.dataset.gate));
      assert.deepEqual(await gates(), ['i', 'f', 'g', 'o', 'h', 'c']);
      assert.ok((await colorsOf(page, '[data-gate="f"] canvas')) > 20);
      await page.locator('[data-gate="f"] canvas').hover({ position: { x: 100, y: 60 } });
      await until(page, () => /f = 0\.\d+.*c = /.test(document.querySelector('#readout')?.textContent));
      const first = await text(page, '#readout');
      await page.focus('[data-gate="f"] canvas');
      await page.keyboard.press('ArrowRight');
      await until(
        page,
        (old) => ![old, undefined].includes(document.querySelector('#readout')?.textContent),
        first,
      );
      for (const order of ['mean', 'peak', 'cluster']) {
        await page.selectOption('#order', order);
        assert.equal(await page.inputValue('#order'), order);
      }
      await page.selectOption('#order-by', 'c');
      const before = await colorsOf(page, '[data-gate="g"] canvas');
      await setRange(page, '#threshold', 0.95);
      await page.waitForTimeout(200);
      assert.ok(
        (await colorsOf(page, '[data-gate="g"] canvas')) < before,
        'the threshold hides small values',
      );
      await setRange(page, '#on-level', 0);
      await page.focus('#state-traces');
      await page.keyboard.press('ArrowLeft');
      await page.keyboard.press('Shift+ArrowLeft');
      await page.keyboard.press('Shift+ArrowLeft');
      await until(page, () => /10 of 10 units/.test(document.querySelector('#brushed')?.textContent));
      await setRange(page, '#on-level', 1);
      await until(page, () => /0 of 10 units/.test(document.querySelector('#brushed')?.textContent));
      await page.click('#lane-gru');
      await until(page, () => document.querySelectorAll('.map').length === 4);
      assert.deepEqual(await gates(), ['z', 'r', 'n', 'h']);
      await page.click('#lane-rnn');
      await until(page, () => document.querySelectorAll('.map').length === 1);
    }));

  test('padded steps are blank in the heat maps of the gates, and marked in the unrolled network', () =>
    withPage('#preset=sentiment&cells=lstm&units=6&view=gates', async (page) => {
      await page.waitForSelector('#masked');
      const [, from, to] = /Steps (\d+) to (\d+) of this example are padding/.exec(
        await text(page, '#masked'),
      );
      assert.equal(to, '16');
      // The last column of a gate is blank, so it has one colour.
      const colors = await page.locator('[data-gate="i"] canvas').evaluate((canvas) => {
        const { width, height } = canvas;
        const { data } = canvas.getContext('2d').getImageData(width - 8, 0, 1, height);
        return new Set(new Uint32Array(data.buffer)).size;
      });
      assert.equal(colors, 1);
      await page.click('#tab-network');
      await page.waitForSelector('.node.cell');
      await setRange(page, '#time', Number(from) - 1);
      await page.waitForSelector('#masked-step');
      assert.equal(await page.locator('.node.cell.padding.now').count(), 1);
      await setRange(page, '#time', Number(from) - 2);
      await page.waitForSelector('#arithmetic [data-name="c"]');
      assert.match(
        await text(page, '.node.output.now'),
        /good|bad/,
        'the output follows the last valid step',
      );
    }));

  test('gradients by lag: a curve for each cell, updated while training', () =>
    withPage(
      '#preset=adding&cells=rnn,lstm,gru&length=40&units=16&init=glorot&view=gradients',
      async (page) => {
        await page.waitForSelector('#flow-table tbody tr:nth-child(3)');
        const row = async (cell) =>
          (await page.locator('#flow-table tr', { hasText: cell }).locator('td').allInnerTexts()).map(Number);
        const rnn = await row('RNN');
        assert.ok(rnn[0] > rnn[3] && rnn[4] < 0.1, `the gradient of the RNN vanishes: ${rnn}`);
        const legend = await text(page, '#flow .u-legend');
        for (const name of ['RNN ∂/∂h', 'LSTM ∂/∂h', 'LSTM ∂/∂c', 'GRU ∂/∂h'])
          assert.ok(legend.includes(name), legend);
        await page.click('#run');
        await until(
          page,
          (old) => ![old, undefined].includes(document.querySelector('#flow-table tbody')?.textContent),
          await text(page, '#flow-table tbody'),
        );
        await page.click('#run');
        await page.click('#flow-flowRelative');
        await until(page, () => document.querySelector('#flow .u-legend')?.textContent.includes('Clipping'));
        await page.click('#flow-cellState');
        await until(
          page,
          () => document.querySelector('#flow .u-legend')?.textContent.includes('∂/∂c') === false,
        );
      },
    ));

  test('influence: only tokens up to the chosen step influence its output', () =>
    withPage('#preset=copy&cells=lstm,gru&length=16&units=12&view=influence', async (page) => {
      await page.waitForSelector('.hits[data-cell="gru"] .token');
      assert.equal(await page.locator('.hits[data-cell="gru"] .token').count(), 16);
      await page.locator('.tokens').first().locator('button').nth(9).click();
      await until(
        page,
        () => document.querySelectorAll('.hits[data-cell="gru"] .token')[9].dataset.target === 'true',
      );
      // Nothing after the chosen step can influence its output.
      const shades = await page
        .locator('.hits[data-cell="gru"] .token')
        .evaluateAll((tokens) => tokens.map(({ style }) => style.getPropertyValue('--shade')));
      assert.ok(
        shades.slice(10).every((shade) => shade === '0%') &&
          shades.slice(0, 10).some((shade) => shade !== '0%'),
        shades.join(),
      );
      await page.waitForSelector('#attribution .u-legend');
    }));

  test('attention: updated while training; the arrow keys select a cell of the map', () =>
    withPage('#preset=reverse&cells=lstm&length=5&units=16', async (page) => {
      await page.waitForSelector('#alignments canvas');
      const readout = () => text(page, '#alignments .readout');
      const before = await readout();
      assert.match(before, /^Output step 5 \([A-H]\) reads input step \d \([A-H]\) most, with weight 0\.\d+/);
      await trainFor(page, 'lstm', 40);
      await until(
        page,
        (old) => ![old, undefined].includes(document.querySelector('#alignments .readout')?.textContent),
        before,
      );
      await page.click('#tab-influence');
      await page.waitForSelector('#alignments canvas');
      await page.focus('#alignments canvas');
      await page.keyboard.press('ArrowUp');
      await page.keyboard.press('ArrowRight');
      await until(page, () =>
        /^Output step 4 .* reads input step 2 .* with weight/.test(
          document.querySelector('#alignments .readout')?.textContent,
        ),
      );
      await page.waitForSelector('.token[data-target="true"]');
      assert.match(await text(page, '#influence h2'), /step 4/);
      await page.click('#tab-gates');
      await page.selectOption('#layer', '1');
      await until(page, () => document.querySelectorAll('.map').length === 7);
    }));

  test('curves: loss, gradient norm, clip rate, learning rate and throughput; kept runs are compared', () =>
    withPage('#preset=adding&cells=lstm&length=10&units=8', async (page) => {
      await trainFor(page, 'lstm', 40);
      for (const name of ['norm', 'clipped', 'rate', 'perSecond']) {
        assert.match(await page.getAttribute(`#metric-${name} .chart`, 'aria-label'), /LSTM \d/, name);
      }
      assert.match(
        await page.getAttribute('#loss .chart', 'aria-label'),
        /LSTM [\d.]+.*without memory 0\.167/,
      );
      await page.click('#tab-files');
      await page.click('#keep-runs');
      writeFileSync(join(folder, 'log.csv'), 'epoch,loss,validationLoss\n1,0.5,0.6\n2,0.25,0.4\n');
      await page.setInputFiles('#open-files', join(folder, 'log.csv'));
      await until(page, () => document.querySelectorAll('#runs li').length === 3);
      // Folders of two runs: their scores are shown side by side.
      for (const [name, mase] of [
        ['one', 0.8],
        ['two', 0.7],
      ]) {
        mkdirSync(join(folder, name, 'model'), { recursive: true });
        const record = JSON.stringify({ seconds: 2, leaderboard: [{ model: 'lstm', mase }] });
        writeFileSync(join(folder, name, 'model/training.json'), record);
        await page.setInputFiles('#open-folder', join(folder, name));
        await page.waitForSelector(`#scores th:has-text("${name}/model")`);
      }
      assert.match(await text(page, '#scores'), /leaderboard\.lstm\.mase\s+0\.8\s+0\.7/);
      await page.click('#tab-train');
      await until(page, () =>
        /log\.csv validationLoss/.test(document.querySelector('#loss .u-legend')?.textContent),
      );
    }));

  test('predictions: intervals of a series, top tokens with temperature, a confusion matrix', () =>
    withPage('#preset=sine&cells=gru&units=8&length=16&view=predictions', async (page) => {
      await trainFor(page, 'gru', 100);
      await page.waitForSelector('#forecast .scroll table');
      assert.match(await text(page, '#forecast .scroll'), /GRU\s+[\d.]+\s+[\d.]+\s+±[\d.]+\s+\d+ %/);
      await page.waitForSelector('#residuals .u-legend');
      await page.selectOption('#preset', 'characters');
      await page.waitForSelector('#top-tokens .bar');
      const top = () => text(page, '#top-tokens .bar small');
      const at1 = await top();
      await setRange(page, '#temperature', 3);
      await until(
        page,
        (old) => ![old, undefined].includes(document.querySelector('#top-tokens .bar small')?.textContent),
        at1,
      );
      assert.ok(Number.parseFloat(await top()) < Number.parseFloat(at1), 'a high temperature flattens');
      await page.selectOption('#preset', 'sentiment');
      await page.waitForSelector('#confusion td');
      const counts = (await page.locator('#confusion td').allInnerTexts()).map(Number);
      assert.equal(counts.length, 4);
      assert.equal(
        counts.reduce((a, b) => a + b),
        16,
        'a fifth of 80 lines is held out',
      );
    }));

  test('hidden states: projection, saturation, weights, and the loss before and after an ablation', () =>
    withPage('#preset=adding&cells=lstm&length=10&units=8&view=states', async (page) => {
      await trainFor(page, 'lstm', 30);
      await until(page, () =>
        /Share of the variance: \d+ % and \d+ %/.test(document.querySelector('#projection')?.textContent),
      );
      assert.ok((await colorsOf(page, '#projection canvas')) > 50);
      assert.equal(await page.locator('#saturation .meter').count(), 3, 'i, f and o');
      await page.waitForSelector('#weights tbody tr:nth-child(5)');
      await page.selectOption('#ablate-what', 'f');
      await page.click('#ablate');
      await page.waitForSelector('#ablation-result');
      const [, before, after] = /loss: (\S+) before, (\S+) after/.exec(await text(page, '#ablation-result'));
      assert.notEqual(before, after);
      await page.selectOption('#ablate-what', 'units');
      await page.fill('#ablate-units', '1-8');
      const earlier = await text(page, '#ablation-result');
      await page.click('#ablate');
      await until(
        page,
        (old) => ![old, undefined].includes(document.querySelector('#ablation-result')?.textContent),
        earlier,
      );
      await page.fill('#ablate-units', '99');
      await page.click('#ablate');
      await page.waitForSelector('#ablation .failure');
    }));

  test('files: a model is saved, opened again and described; damaged files give clear errors', () =>
    withPage('#preset=adding&cells=lstm&length=10&units=8&view=files', async (page) => {
      const [download] = await Promise.all([page.waitForEvent('download'), page.click('[data-save="lstm"]')]);
      const zip = join(folder, 'lstm.zip');
      await download.saveAs(zip);
      await page.setInputFiles('#open-files', zip);
      await page.waitForSelector('#model .graph li');
      assert.match(await text(page, '#model'), /LSTM lstm1.*Dense output/s);
      assert.match(await text(page, '#model .tensors'), /lstm1\/kernel\s+\[2, 32\]/);
      const bytes = readFileSync(zip);
      for (const [name, change] of [
        ['flipped', () => bytes.map((byte, n) => (n === Math.floor(bytes.length / 2) ? byte ^ 255 : byte))],
        ['cut', () => bytes.subarray(0, 200)],
        ['text', () => Buffer.from('not a zip')],
      ]) {
        writeFileSync(join(folder, `${name}.zip`), change());
        await page.setInputFiles('#open-files', join(folder, `${name}.zip`));
        await until(
          page,
          (file) => document.querySelector('.failure')?.textContent.startsWith(file),
          `${name}.zip`,
        );
        assert.ok((await text(page, '.failure')).length < 400);
      }
      // A config that attempts prototype pollution, and a config whose layer does not exist.
      for (const config of [
        '{"__proto__": {"polluted": 1}}',
        '{"format": "unroll-artifact-1", "model": {"className": "Evil"}}',
      ]) {
        writeFileSync(join(folder, 'config.json'), config);
        await page.setInputFiles('#open-files', join(folder, 'config.json'));
        await until(page, () => document.querySelector('.failure')?.textContent.startsWith('config.json'));
        assert.equal(await page.evaluate(() => ({}).polluted), undefined);
      }
    }));

  test(
    'hostile files of every format give typed errors, and the page continues to work',
    { timeout: 120_000 },
    () =>
      withPage('#preset=adding&cells=lstm&length=10&units=8&view=files', async (page) => {
        const { intact, cases } = await hostileModels();
        const choose = (name, content) =>
          page.setInputFiles('#open-files', { name, mimeType: '', buffer: Buffer.from(content) });
        for (const [name, content, refused] of cases) {
          await choose(name, content);
          await until(
            page,
            (file) =>
              document.querySelector('#model h2')?.textContent === file ||
              [...document.querySelectorAll('.failure')].some((box) =>
                box.textContent.startsWith(`${file} `),
              ),
            name,
          );
          const failures = await page.locator('.failure').allInnerTexts();
          if (refused) assert.equal(failures.length, 1, `${name} is refused`);
          for (const failure of failures) {
            assert.match(failure, /cannot be opened\. Check that/);
            assert.match(
              failure,
              /\n(format|unsupported|shape|value|memory): \S/,
              `${name} has a typed error`,
            );
            assert.ok(failure.length < 900, failure);
          }
          assert.equal(await page.evaluate(() => ({}).polluted), undefined, name);
        }
        for (const [end, content] of Object.entries(intact)) {
          await choose(`good.${end}`, content);
          await until(
            page,
            (file) => document.querySelector('#model h2')?.textContent === file,
            `good.${end}`,
          );
          assert.equal(await page.locator('.failure').count(), 0);
        }
        await page.click('#step');
        await until(page, () => document.querySelector('#lane-lstm')?.textContent.includes('1 updates'));
      }),
  );

  test('files of other tools are described, and files can be dropped', () =>
    withPage('#preset=adding&cells=lstm&length=10&units=8&view=files', async (page) => {
      const { intact } = await hostileModels();
      for (const [end, title] of [
        ['pt', /PyTorch/],
        ['keras', /Keras/],
        ['h5', /Keras/],
        ['onnx', /ONNX/],
      ]) {
        const name = `model.${end}`;
        await page.setInputFiles('#open-files', { name, mimeType: '', buffer: Buffer.from(intact[end]) });
        await until(page, (file) => document.querySelector('#model h2')?.textContent === file, name);
        assert.match(await text(page, '#model .hint'), title);
        assert.ok((await page.locator('#model .tensors tbody tr').count()) > 0, name);
      }
      const rows = Array.from({ length: 90 }, (_, t) => `${t},${t % 7}`).join('\n');
      const dropped = await page.evaluateHandle((content) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([content], 'weeks.csv'));
        return transfer;
      }, `day,visits\n${rows}`);
      await page.dispatchEvent('#drop', 'drop', { dataTransfer: dropped });
      await until(page, () => document.querySelector('#preset').value === 'csv');
      await page.selectOption('#column', 'visits');
      await trainFor(page, 'lstm', 5);
      assert.equal(await page.locator('#failure').count(), 0);
    }));

  test('unroll studio <path> opens a model, the folder of a run, and a CSV file', async () => {
    mkdirSync(join(folder, 'run/model'), { recursive: true });
    writeFileSync(
      join(folder, 'run/model/training.json'),
      '{"leaderboard": [{"model": "lstm", "mase": 0.5}]}',
    );
    for (const [path, selector] of [
      [join(root, 'packages/testkit/goldens/formats/pytorch/case001.pt'), '#model .graph li'],
      [join(folder, 'run'), '#scores'],
      [join(root, 'packages/cli/data/air-passengers.csv'), '#column'],
    ]) {
      const other = await startStudio(path);
      try {
        assert.match(other.url, /#open=1/);
        const { page, problems, context } = await openStudio(browser, other.url);
        await page.waitForSelector(selector);
        assert.deepEqual(problems, []);
        await context.close();
      } finally {
        other.close();
      }
    }
  });

  test('figures are saved as SVG', () =>
    withPage('#preset=adding&cells=rnn,lstm&length=10&units=8&view=gradients', async (page) => {
      await page.waitForSelector('#flow .u-legend');
      const saved = async (selector) => {
        const [download] = await Promise.all([page.waitForEvent('download'), page.click(selector)]);
        const file = join(folder, 'figure.svg');
        await download.saveAs(file);
        // Parsed in a blank page, because this page's content security policy also applies to the styles of a parsed figure.
        const blank = await page.context().newPage();
        const problem = await blank.evaluate(
          (source) =>
            new DOMParser().parseFromString(source, 'image/svg+xml').querySelector('parsererror')
              ?.textContent,
          readFileSync(file, 'utf8'),
        );
        await blank.close();
        assert.equal(problem, undefined);
        return readFileSync(file, 'utf8');
      };
      const curves = await saved('#flow .save-figure');
      assert.equal(curves.match(/fill="none" stroke="#/g).length, 3, 'h of the RNN, h and c of the LSTM');
      assert.match(curves, /LSTM ∂\/∂c/);
      await page.click('#tab-gates');
      await page.waitForSelector('[data-gate="f"]');
      assert.match(await saved('#save-gates'), /<svg/);
      await page.click('#tab-network');
      await page.waitForSelector('.node.cell');
      assert.match(await saved('#save-unrolled'), /<svg/);
    }));

  test('attention: a model of the task translate shows its alignments', { timeout: 120_000 }, async () => {
    const words = ['eins', 'zwei', 'drei', 'vier', 'rot', 'blau'];
    const pairs = Array.from({ length: 60 }, (_, n) => [
      words[n % 6],
      words[(n * 5 + 1) % 6],
      words[(n * 7 + 2) % 6],
    ]);
    const source = pairs.map((row) => row.join(' '));
    const target = pairs.map((row) => row.map((word) => word.toUpperCase()).join(' '));
    const table = makeTable({ source: 'pairs', names: ['source', 'target'], cells: [source, target] });
    const options = { source: 'source', target: 'target', level: 'words', epochs: 1, units: 8, embedding: 8 };
    const { model } = await trainTranslator({ table }, options);
    const files = [...(await model.toFiles())].map(([name, bytes]) => ({ name, bytes }));
    mkdirSync(join(folder, 'translator'), { recursive: true });
    for (const { name, bytes } of files) writeFileSync(join(folder, 'translator', name), bytes);
    await withPage('#preset=adding&cells=lstm&length=10&units=8&view=files', async (page) => {
      await page.setInputFiles('#open-folder', join(folder, 'translator'));
      await page.waitForSelector('#source');
      await page.fill('#source', 'eins zwei drei');
      await page.press('#source', 'Enter');
      await page.waitForSelector('.alignment table td');
      const header = await page.locator('.alignment thead th').allTextContents();
      assert.deepEqual(header.slice(1, 4), ['eins', 'zwei', 'drei']);
      const row = (await page.locator('.alignment tbody tr').first().locator('td').allTextContents()).map(
        Number,
      );
      assert.ok(Math.abs(row.reduce((a, b) => a + b) - 1) < 0.05, `weights ${row}`);
    });
  });

  test('the tour drives the page in ten steps', { timeout: 180_000 }, () =>
    withPage('#preset=sine', async (page) => {
      await page.click('#tour');
      await page.waitForSelector('#tour-panel');
      const met = () =>
        until(page, () => document.querySelector('#tour-goal').dataset.met === 'true', undefined, 60_000);
      await page.waitForSelector('.node.cell');
      await setRange(page, '#time', 3);
      for (let step = 1; step <= 9; step++) {
        if (step === 6) {
          await page.waitForSelector('[data-gate="i"] canvas');
          await page.locator('[data-gate="i"] canvas').hover();
        }
        await met();
        await page.click('#tour-next');
      }
      assert.match(await text(page, '#tour-panel'), /10 of 10/);
      await page.click('#tour-end');
      assert.equal(await page.locator('#tour-panel').count(), 0);
    }),
  );

  test('switches between Chinese and English and between dark and light, and fits the width of a phone', () =>
    withPage(
      '#preset=adding&cells=lstm&length=10&units=8',
      async (page) => {
        assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), 'dark');
        await page.click('#lang');
        assert.equal(await text(page, '#tab-gates'), '门控');
        assert.equal(await page.evaluate(() => document.documentElement.lang), 'zh');
        for (const name of ['network', 'gates', 'gradients', 'influence', 'predictions', 'states', 'files']) {
          await page.click(`#tab-${name}`);
          await page.waitForTimeout(250);
          const width = await page.evaluate(() => document.documentElement.scrollWidth);
          assert.ok(width <= 390, `${name}: the page is ${width} pixels wide`);
        }
        // On a phone, the settings are closed at first, above the results.
        assert.equal(await page.isVisible('#preset'), false);
        await page.click('.side summary');
        await page.selectOption('#preset', 'csv');
        await page.waitForSelector('#failure');
        assert.match(await text(page, '#failure'), /^请选择/);
        await page.selectOption('#theme', 'light');
        assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), 'light');
        await page.click('#lang');
        assert.equal(await text(page, '#tab-gates'), 'Gates');
      },
      { viewport: { width: 390, height: 844 }, colorScheme: 'dark', isMobile: false },
    ));

  test('the Chinese page has no English words except names, code and user data', () =>
    withPage('#preset=adding&cells=rnn,lstm,gru,minGru&length=10&units=6&lang=zh', async (page) => {
      const found = [];
      const check = async (where) => {
        const words = await page.evaluate(englishIn);
        if (words.length > 0) found.push(`${where}: ${words.join(' ')}`);
      };
      await page.click('#step');
      for (const preset of ['adding', 'copy', 'reverse', 'sine', 'passengers', 'characters', 'sentiment']) {
        await page.selectOption('#preset', preset);
        for (const view of ['train', 'network', 'gates', 'gradients', 'influence', 'predictions', 'states']) {
          await page.click(`#tab-${view}`);
          await page.waitForTimeout(200);
          await until(page, () => document.querySelector('.waiting') === null);
          await check(`${preset}, ${view}`);
        }
      }
      await page.click('#ablate');
      await page.fill('#ablate-units', '99');
      await page.click('#tab-files');
      await check('files');
      await page.setInputFiles('#open-files', {
        name: 'A.zip',
        mimeType: '',
        buffer: Buffer.from('PK'),
      });
      await page.waitForSelector('.failure');
      assert.match(await text(page, '.failure'), /^A\.zip 无法打开。请/);
      await check('a broken file');
      await page.selectOption('#preset', 'csv');
      await page.waitForSelector('#failure');
      await check('no table');
      await page.click('#tour');
      for (let step = 0; step < 10; step++) {
        await page.waitForSelector('#tour-panel');
        await page.waitForTimeout(200);
        await check(`tour, ${step + 1}`);
        if (step < 9) await page.click('#tour-next');
      }
      assert.equal(found.join('\n'), '');
    }));

  test('the keyboard changes tabs and starts training, and every control has a name for screen readers', () =>
    withPage('#preset=adding&cells=lstm&length=10&units=8', async (page) => {
      await page.focus('#tab-train');
      await page.keyboard.press('ArrowRight');
      assert.equal(await page.evaluate(() => document.activeElement.id), 'tab-network');
      await page.locator('body').press('Space');
      await page.locator('h1').click();
      await page.keyboard.press('Space');
      await until(page, () => document.querySelector('#run')?.textContent === 'Pause');
      await page.keyboard.press('Space');
      for (const name of [
        'train',
        'network',
        'gates',
        'gradients',
        'influence',
        'predictions',
        'states',
        'files',
      ]) {
        await page.click(`#tab-${name}`);
        await page.waitForTimeout(300);
        const unnamed = await page.evaluate(() =>
          [...document.querySelectorAll('button, input, select, textarea, canvas, [role="img"]')]
            .filter((element) => element.checkVisibility() && !element.closest('.chart > *'))
            .filter(
              (element) =>
                !(element.ariaLabel || element.labels?.[0]?.textContent.trim() || element.textContent.trim()),
            )
            .map((element) => element.outerHTML.slice(0, 80)),
        );
        assert.deepEqual(unnamed, [], name);
      }
    }));

  test('works on a plain static host, in a subfolder and without isolation, on one thread', async () => {
    const plain = await servePlain();
    closing.push(plain.close);
    await withPage(
      '#preset=adding&cells=lstm,gru&length=10&units=8',
      async (page) => {
        assert.equal(await text(page, '#engine'), 'WebAssembly, 1 thread');
        await trainFor(page, 'gru', 20);
      },
      { url: plain.url },
    );
    assert.ok(!plain.requests.some((path) => /relaxed|threads/.test(path)), plain.requests.join());
  });

  test('a heat map of 512 units by 1000 steps is painted once per change, with one pixel per value', () =>
    withPage('#preset=adding&cells=gru&length=1000&units=512&view=gates&batch=1', async (page) => {
      await page.waitForSelector('[data-gate="z"] canvas', { timeout: 60_000 });
      await page.evaluate(() => {
        const { prototype } = CanvasRenderingContext2D;
        const { putImageData } = prototype;
        window.painted = [];
        prototype.putImageData = function (image, ...rest) {
          window.painted.push([image.width, image.height]);
          return putImageData.call(this, image, ...rest);
        };
      });
      const maps = await page.locator('.map').count();
      await setRange(page, '#threshold', 0.5);
      await until(page, (count) => window.painted.length >= count, maps);
      // Selecting another cell of the map redraws the marks, but not the values.
      await page.focus('[data-gate="z"] canvas');
      await page.keyboard.press('ArrowDown');
      await page.waitForTimeout(300);
      assert.deepEqual(
        await page.evaluate(() => window.painted),
        Array.from({ length: maps }, () => [1000, 512]),
      );
    }));

  test('while a network trains on one thread, the page answers clicks and draws frames', async () => {
    const plain = await servePlain();
    closing.push(plain.close);
    await withPage(
      '#preset=adding&cells=lstm&length=50&units=64',
      async (page) => {
        await page.click('#run');
        await until(page, () => /[1-9]\d* updates/.test(document.querySelector('#lane-lstm')?.textContent));
        const frames = await page.evaluate(
          () =>
            new Promise((resolve) => {
              let count = 0;
              const next = () => (++count === 60 ? resolve(count) : requestAnimationFrame(next));
              requestAnimationFrame(next);
            }),
        );
        assert.equal(frames, 60);
        await page.click('#tab-gates');
        await page.waitForSelector('[data-gate="f"] canvas');
        assert.equal(await text(page, '#run'), 'Pause', 'the network must still train');
        await page.click('#run');
      },
      { url: plain.url },
    );
  });

  test('the first load is below 250 kB gzipped, WebAssembly included', () => {
    const { total, parts } = firstLoad();
    assert.ok(total < 250_000, `${total} bytes: ${parts.map((part) => part.join(' ')).join(', ')}`);
  });

  test('at first, the page requests only assets that firstLoad counts', () =>
    withPage('#preset=adding', async (page) => {
      await page.waitForTimeout(500);
      const names = await page.evaluate(() =>
        performance.getEntriesByType('resource').map(({ name }) => name),
      );
      const counted = new Set(firstLoad().parts.map(([file]) => file));
      const requested = names
        .filter((name) => /assets/.test(name))
        .map((name) => `assets/${name.split('/').at(-1)}`);
      assert.deepEqual(
        requested.filter((file) => !counted.has(file)),
        [],
      );
    }));
});
