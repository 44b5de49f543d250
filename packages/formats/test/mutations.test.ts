/**
 * 10,000 damaged and forged artifacts, as files and as zips. Each artifact must load with the weights in its files or cause a
 * `format` error. No artifact may crash or hang the reader, or make it allocate more memory than a fixed multiple of the
 * file's size (plus 4 KiB). In half of the cases the checksums are corrected after the damage, to test the code after the
 * checks.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setBackend, UnrollError } from '@unroll/core';
import { crc32c, encodeUtf8 } from '@unroll/core/internal';
import { ARTIFACT_FILES, fromArtifact, fromZip, toArtifact, toZip } from '@unroll/formats';
import { Draw } from './draw.js';
import { cut, flip, forgeJson } from './forge.js';
import { cpuTime, Meter } from './meter.js';
import { models, outputOf } from './models.js';

const COUNT = 10_000;
/** Loading may allocate typed arrays of `times` the size of the artifact, plus `more` bytes. */
const BUDGET = { times: 4, more: 4096 };
const MAX_CPU_MS = 2000;

type Files = Map<string, Uint8Array>;

const originals: Files[] = await Promise.all(
  Object.values(models).map((make) => {
    const { model, x } = make();
    outputOf(model, x);
    return toArtifact(model, { training: { seed: 1, loss: [0.5] }, pipeline: { columns: ['a', 'b'] } });
  }),
);

/** Removes, repeats or moves a line of a text. */
function shuffleLines(text: string, draw: Draw): string {
  const lines = text.split('\n');
  const from = draw.below(lines.length);
  const [line] = lines.splice(from, draw.below(2));
  if (draw.chance(0.6)) lines.splice(draw.below(lines.length + 1), 0, line ?? lines[from] ?? '');
  return lines.join('\n');
}

/** Forges the header of a safetensors file: its length, or values in it (then mostly with a corrected length). */
function forgeHeader(bytes: Uint8Array, draw: Draw): Uint8Array {
  const out = bytes.slice();
  const view = new DataView(out.buffer);
  const size = Number(view.getBigUint64(0, true));
  if (draw.chance(0.2)) {
    view.setBigUint64(
      0,
      draw.from([0n, 1n, 2n ** 32n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n, BigInt(size) + 1n]),
      true,
    );
    return out;
  }
  const header = encodeUtf8(forgeJson(Buffer.from(out.subarray(8, 8 + size)).toString(), draw));
  const forged = new Uint8Array(Buffer.concat([out.subarray(0, 8), header, out.subarray(8 + size)]));
  if (draw.chance(0.9)) new DataView(forged.buffer).setBigUint64(0, BigInt(header.length), true);
  return forged;
}

/** Returns damaged files, and whether the checksum in the config was corrected after the damage. */
function mutate(files: Files, draw: Draw): { files: Files; corrected: boolean } {
  const out = new Map(files);
  const name = draw.chance(0.45)
    ? 'model.safetensors'
    : draw.chance(0.8)
      ? 'config.json'
      : draw.from(ARTIFACT_FILES);
  const bytes = files.get(name)!;
  const asText = (change: (text: string) => string): Uint8Array =>
    encodeUtf8(change(Buffer.from(bytes).toString()));
  const kinds: (() => Uint8Array)[] = [() => flip(bytes, draw), () => cut(bytes, draw)];
  if (name === 'model.safetensors')
    kinds.push(
      () => forgeHeader(bytes, draw),
      () => forgeHeader(bytes, draw),
    );
  else
    kinds.push(
      () => asText((text) => forgeJson(text, draw)),
      () => asText((text) => shuffleLines(text, draw)),
    );
  const rare = draw.below(30);
  if (rare === 0) out.delete(name);
  else if (rare === 1) out.set(name, files.get(draw.from(ARTIFACT_FILES))!);
  else out.set(name, draw.from(kinds)());
  const corrected = draw.chance(0.5) && correctChecksum(out);
  return { files: out, corrected };
}

/** Writes the size and the checksum of the weights into the config. Returns false if one of the files is missing. */
function correctChecksum(files: Files): boolean {
  const [config, weights] = [files.get('config.json'), files.get('model.safetensors')];
  if (!config || !weights) return false;
  const sum = crc32c(weights).toString(16).padStart(8, '0');
  const text = Buffer.from(config)
    .toString()
    .replace(/"bytes": [^,]*/, `"bytes": ${weights.length}`);
  files.set('config.json', encodeUtf8(text.replace(/"crc32c": "[^"]*"/, `"crc32c": "${sum}"`)));
  return true;
}

const meter = new Meter();

interface Tally {
  loaded: number;
  refused: number;
  /** Descriptions of failures. */
  failures: string[];
  /** Largest number of allocated bytes, as a fraction of the budget. */
  largest: number;
  /** Longest CPU time in milliseconds. */
  slowest: number;
}

async function attempt(
  seed: number,
  size: number,
  tally: Tally,
  load: () => Promise<void> | void,
): Promise<void> {
  meter.start();
  const began = cpuTime();
  try {
    await load();
    tally.loaded++;
  } catch (error) {
    if (error instanceof UnrollError && error.code === 'format') tally.refused++;
    else tally.failures.push(`seed ${seed}: ${error instanceof Error ? error.stack : String(error)}`);
  } finally {
    meter.stop();
  }
  const budgetFraction = meter.bytes / (BUDGET.times * size + BUDGET.more);
  tally.largest = Math.max(tally.largest, budgetFraction);
  tally.slowest = Math.max(tally.slowest, cpuTime() - began);
  if (budgetFraction > 1) tally.failures.push(`seed ${seed}: ${meter.bytes} bytes allocated for ${size}`);
}

describe('damaged artifacts', { timeout: 300_000 }, () => {
  const run = async (
    from: number,
    to: number,
    prepare: (draw: Draw, files: Files) => { size: number; load: () => Promise<void> | void },
  ): Promise<Tally> => {
    await setBackend(meter.backend());
    const tally: Tally = { loaded: 0, refused: 0, failures: [], largest: 0, slowest: 0 };
    for (let seed = from; seed < to; seed++) {
      const draw = new Draw(seed);
      const { size, load } = prepare(draw, draw.from(originals));
      await attempt(seed, size, tally, load);
      // The memory of models is released between turns of the event loop.
      if (seed % 100 === 0) await new Promise((resolve) => setTimeout(resolve));
    }
    return tally;
  };
  const judge = ({ loaded, refused, failures, largest, slowest }: Tally, count: number): string => {
    assert.deepEqual(failures.slice(0, 3), []);
    assert.equal(loaded + refused, count);
    assert.ok(refused > 0.5 * count && loaded > 0.01 * count, `${loaded} loaded, ${refused} refused`);
    assert.ok(slowest < MAX_CPU_MS, `${slowest} ms`);
    const memory = `at most ${(100 * largest).toFixed(0)}% of the memory budget`;
    return `${loaded} loaded, ${refused} refused; ${memory}, ${slowest.toFixed(0)} ms`;
  };
  const before = process.memoryUsage().rss;

  test('given as files, load or are refused', async (t) => {
    const tally = await run(0, 0.8 * COUNT, (draw, files) => {
      const { files: broken, corrected } = mutate(files, draw);
      const size = [...broken.values()].reduce((total, bytes) => total + bytes.length, 0);
      const load = (): void => {
        const { model } = fromArtifact(broken);
        const same = Buffer.compare(broken.get('model.safetensors')!, files.get('model.safetensors')!) === 0;
        assert.ok(same || corrected, 'damaged weights were loaded');
        assert.ok(model.parameters.every((parameter) => parameter.dataSync().every(Number.isFinite)));
      };
      return { size, load };
    });
    t.diagnostic(judge(tally, 0.8 * COUNT));
  });

  test('given as zips, load or are refused', async (t) => {
    const tally = await run(0.8 * COUNT, COUNT, (draw, files) => {
      const inner = draw.chance(0.3) ? mutate(files, draw).files : files;
      const zip = toZip(inner);
      const broken = inner === files ? draw.from([flip, cut, forgeDirectory])(zip, draw) : zip;
      return {
        size: broken.length,
        load: async () => void fromArtifact(await fromZip(broken, ARTIFACT_FILES)),
      };
    });
    t.diagnostic(judge(tally, 0.2 * COUNT));
  });

  test('leave no allocated memory behind', async (t) => {
    await new Promise((resolve) => setTimeout(resolve, 50));
    const grown = (process.memoryUsage().rss - before) / 2 ** 20;
    t.diagnostic(`${grown.toFixed(0)} MiB more than before`);
    assert.ok(grown < 200, `${grown} MiB`);
  });
});

/** Replaces a field of the zip's directory or end record. */
function forgeDirectory(zip: Uint8Array, draw: Draw): Uint8Array {
  const out = zip.slice();
  const view = new DataView(out.buffer);
  const end = out.length - 22;
  const start = view.getUint32(end + 16, true);
  const at = draw.chance(0.3)
    ? end + 4 + 2 * draw.below(9)
    : start + 4 + 2 * draw.below(Math.floor((end - start) / 2) - 4);
  const value = draw.from([0, 1, 2, 8, 0xff, 0xffff, view.getUint16(at, true) + 1, draw.below(0x10000)]);
  view.setUint16(at, value & 0xffff, true);
  return out;
}
