/**
 * Damaged and forged files of Keras and TensorFlow.js. Each file must load or cause an UnrollError. No file may crash or hang
 * the reader, or make it allocate more memory than a fixed multiple of the file's size (plus 1 MiB). The environment variable
 * MUTATIONS sets the number of files per format, and MUTATIONS_FROM the first seed.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { setBackend, UnrollError } from '@unroll/core';
import { encodeUtf8 } from '@unroll/core/internal';
import { fromZip, toZip } from '@unroll/formats';
import { bytesSource, type FormatName, formatNamed, type ImportOptions } from '@unroll/formats/convert';
import { dense, input, lstm, sequential } from '@unroll/nn';
import { Draw } from './draw.js';
import { cut, flip, forgeJson } from './forge.js';
import { cpuTime, Meter } from './meter.js';

const COUNT = Number(process.env.MUTATIONS ?? 500);
const FIRST_SEED = Number(process.env.MUTATIONS_FROM ?? 0);
/** An import may allocate typed arrays of `times` the size of the file, plus `more` bytes. */
const BUDGET = { times: 12, more: 1 << 20 };
const MAX_CPU_MS = 2000;

const folder = new URL('../../testkit/goldens/formats/keras/', import.meta.url);
const NAMES = ['functional_masked.keras', 'nested.keras', 'stacked_cells.keras', 'embedding_mask.keras'];
const H5 = ['functional_masked.h5', 'nested.h5', 'sequential_gru_options.h5', 'sequential_lstm.weights.h5'];
const files = await fromZip(readFileSync(new URL('files.zip', folder)), [...NAMES, ...H5]);
const KERAS_2_H5 = ['tf_functional.h5', 'tf_legacy_optimizer.h5', 'tf_sequential.weights.h5'];
const files2 = await fromZip(readFileSync(new URL('files2.zip', folder)), KERAS_2_H5);
const tfjs = JSON.parse(readFileSync(new URL('tfjs.json', folder), 'utf8')) as {
  cases: Record<string, { json: string; files: Record<string, string> }>;
};

interface Mutant {
  format: FormatName;
  bytes: Uint8Array;
  options?: ImportOptions;
  /** Size of all files in bytes. Default: the length of `bytes`. */
  size?: number;
}

/** Returns a zip with a damaged file and correct checksums, or a damaged zip. */
async function mutateKeras(draw: Draw): Promise<Mutant> {
  const bytes = files.get(draw.from(NAMES))!;
  if (draw.chance(0.3)) return { format: 'keras', bytes: draw.from([flip, cut])(bytes, draw) };
  const parts = await fromZip(bytes, ['config.json', 'metadata.json', 'model.weights.h5']);
  if (draw.chance(0.5)) {
    const config = Buffer.from(parts.get('config.json')!).toString();
    parts.set('config.json', encodeUtf8(forgeJson(config, draw)));
  } else parts.set('model.weights.h5', draw.from([flip, flip, cut])(parts.get('model.weights.h5')!, draw));
  return { format: 'keras', bytes: toZip(parts) };
}

function mutateH5(draw: Draw): Mutant {
  const name = draw.from([...H5, ...KERAS_2_H5]);
  const bytes = draw.from([flip, flip, cut])((files.get(name) ?? files2.get(name))!, draw);
  if (!name.endsWith('.weights.h5') && draw.chance(0.9)) return { format: 'h5', bytes };
  const model = sequential([input({ shape: [6, 3] }), lstm({ units: 4 }), dense({ units: 2 })]);
  model.build();
  return { format: 'h5', bytes, options: { model } };
}

function mutateTfjs(draw: Draw): Mutant {
  const { json, files: parts } = draw.from(Object.values(tfjs.cases));
  const contents = new Map<string, Uint8Array>(
    Object.entries(parts).map(([name, text]) => [name, Uint8Array.from(Buffer.from(text, 'base64'))]),
  );
  let size = json.length;
  for (const part of contents.values()) size += part.length;
  const mutated = draw.chance(0.8)
    ? encodeUtf8(forgeJson(json, draw))
    : draw.from([flip, cut])(encodeUtf8(json), draw);
  if (draw.chance(0.1))
    contents.set('group1-shard1of2.bin', cut(contents.get('group1-shard1of2.bin')!, draw));
  return { format: 'tfjs', bytes: mutated, options: { files: contents }, size };
}

// Loads the HDF5 library before memory is counted.
await (await formatNamed('h5')).read(bytesSource(files.get('nested.h5')!));

const meter = new Meter();

async function attempt(seed: number, { format, bytes, options, size }: Mutant, tally: Tally): Promise<void> {
  const reader = await formatNamed(format);
  meter.start();
  const began = cpuTime();
  try {
    await reader.read(bytesSource(bytes, 'mutant'), options);
    tally.loaded++;
  } catch (error) {
    if (error instanceof UnrollError) tally.refused++;
    else tally.failures.push(`seed ${seed}: ${error instanceof Error ? error.stack : String(error)}`);
  } finally {
    meter.stop();
  }
  const elapsed = cpuTime() - began;
  if (elapsed > MAX_CPU_MS) tally.failures.push(`seed ${seed}: took ${elapsed} ms of CPU time`);
  const limit = BUDGET.times * (size ?? bytes.length) + BUDGET.more;
  if (meter.bytes > limit)
    tally.failures.push(`seed ${seed}: asked for ${meter.bytes} bytes, allowed ${limit}`);
}

interface Tally {
  loaded: number;
  refused: number;
  /** Descriptions of failures. */
  failures: string[];
}

describe('damaged files of Keras and TensorFlow.js', () => {
  const kinds = { keras: mutateKeras, h5: mutateH5, tfjs: mutateTfjs };
  for (const [name, mutate] of Object.entries(kinds)) {
    test(`${COUNT} damaged files of format ${name} load or are refused`, async () => {
      setBackend(meter.backend());
      const tally: Tally = { loaded: 0, refused: 0, failures: [] };
      for (let seed = FIRST_SEED; seed < FIRST_SEED + COUNT; seed++)
        await attempt(seed, await mutate(new Draw(seed)), tally);
      assert.deepEqual(tally.failures.slice(0, 5), [], `${tally.failures.length} failures`);
      assert.equal(tally.loaded + tally.refused, COUNT);
      assert.ok(tally.loaded > 0, 'no file loaded');
      assert.ok(tally.refused > COUNT / 20, `${tally.refused} of ${COUNT} files refused`);
    });
  }
});
