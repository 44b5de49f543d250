// Measures the speed of the page of packages/studio in headless Chromium, and prints a table: the time to draw a heat map of 512
// units by 1,000 steps, the frames per second and the longest task while an LSTM of 64 units trains on one thread, and the times
// until the page is first painted and until it can train. Timings depend on the machine and its load, so tests do not check them.
//
//   node tools/studio-timing.mjs [--only heat,frames,start]
import { parseArgs } from 'node:util';
import { firstLoad } from './studio.mjs';
import { openStudio, servePlain, startBrowser } from './studio-page.mjs';

const { values } = parseArgs({ options: { only: { type: 'string', default: 'heat,frames,start' } } });
const wanted = new Set(values.only.split(','));

const median = (times) => times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)];
const print = (what, value) => console.log(`| ${what} | ${value} |`);

/** Opens the page, waits until the networks are built, and runs `work`. */
const withPage = async (browser, url, work) => {
  const { page, context } = await openStudio(browser, url);
  try {
    await page.waitForSelector('#engine[data-ready="true"]');
    return await work(page);
  } finally {
    await context.close();
  }
};

/** Runs in the page: sets the threshold of the heat maps, and returns how long the script and the rasteriser took for one map. */
const redraw = (value) => {
  const input = document.querySelector('#threshold');
  input.value = String(value);
  input.dispatchEvent(new Event('input', { bubbles: true }));
  return new Promise((resolve) => {
    requestAnimationFrame(() =>
      requestAnimationFrame(() => {
        const canvas = document.querySelector('[data-gate="z"] canvas');
        const start = performance.now();
        canvas.getContext('2d').getImageData(0, 0, 1, 1); // waits until the drawing is rasterised
        resolve({ script: Number(canvas.dataset.ms), raster: performance.now() - start });
      }),
    );
  });
};

const measureHeatMap = async (page) => {
  await page.waitForSelector('[data-gate="z"] canvas', { timeout: 60_000 });
  const times = [];
  for (let n = 1; n <= 21; n++) times.push(await page.evaluate(redraw, n / 100));
  const script = times.map((time) => time.script);
  const all = times.map((time) => time.script + time.raster);
  const [least, most] = [Math.min(...all), Math.max(...all)];
  print(
    'Heat map of 512 units by 1,000 steps',
    `${median(all).toFixed(1)} ms (${least.toFixed(1)} to ${most.toFixed(1)}), of which script ${median(script).toFixed(1)} ms`,
  );
};

/** Runs in the page: returns the times between frames during three seconds, and the longest task. */
const watchFrames = () =>
  new Promise((resolve) => {
    const gaps = [];
    let longest = 0;
    const observer = new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) longest = Math.max(longest, duration);
    });
    observer.observe({ type: 'longtask' });
    const start = performance.now();
    let last = start;
    const frame = (now) => {
      gaps.push(now - last);
      last = now;
      if (now - start < 3000) return requestAnimationFrame(frame);
      observer.disconnect();
      return resolve({ gaps, longest });
    };
    requestAnimationFrame(frame);
  });

const measureFrames = async (page) => {
  await page.click('#run');
  await page.waitForTimeout(1500);
  const { gaps, longest } = await page.evaluate(watchFrames);
  print('Frames per second while an LSTM of 64 units trains', (1000 / median(gaps)).toFixed(1));
  print('Longest main-thread task', longest === 0 ? 'below 50 ms' : `${longest.toFixed(0)} ms`);
};

/** Returns the times in milliseconds until the first paint, and until the page can train (the performance mark "engine ready"). */
const startTimesOf = (page) =>
  page.evaluate(() =>
    ['first-contentful-paint', 'engine ready'].map(
      (name) => performance.getEntriesByName(name)[0]?.startTime ?? Number.NaN,
    ),
  );

const browser = await startBrowser();
const plain = await servePlain();
if (browser === null) console.error('Chromium was not found: set CHROME_PATH or install it.');
else {
  console.log('| what | measured |\n|---|---|');
  if (wanted.has('heat'))
    await withPage(
      browser,
      `${plain.url}#preset=adding&cells=gru&length=1000&units=512&view=gates&batch=1`,
      measureHeatMap,
    );
  if (wanted.has('frames'))
    await withPage(browser, `${plain.url}#preset=adding&cells=lstm&length=50&units=64`, measureFrames);
  if (wanted.has('start')) {
    const starts = [];
    for (let n = 0; n < 5; n++)
      starts.push(await withPage(browser, `${plain.url}#preset=adding`, startTimesOf));
    const [painted, ready] = [0, 1].map((n) => median(starts.map((times) => times[n])));
    print('First paint; ready to train', `${painted.toFixed(0)} ms; ${ready.toFixed(0)} ms`);
  }
  print('First load, gzipped, WebAssembly included', `${(firstLoad().total / 1000).toFixed(0)} kB`);
  await browser.close();
}
plain.close();
