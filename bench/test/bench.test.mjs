/**
 * Tests the benchmark without the libraries that Unroll is compared with (the peers). Run `node --test bench/test` after a build.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { fromFloat16Bits, toFloat16Bits } from '@unroll/core/internal';
import { Agreement, relativeDifference } from '../dist/agree.js';
import { decodeData, makeData, roundToFloat16, toTimeMajor, transpose } from '../dist/data.js';
import { writeData } from '../dist/data-node.js';
import { engineSpec, peakFor } from '../dist/engines.js';
import { encode, integer, message, string } from '../dist/onnx/protobuf.js';
import { oracle } from '../dist/oracle.js';
import { EngineLost, EngineProcess, spawned } from '../dist/process.js';
import { jsonResult, report } from '../dist/report.js';
import { ALL_ROWS, chooseRows, executedFlops, nominalFlops, parseRow, rowFor } from '../dist/rows.js';
import { pairedRatio } from '../dist/statistics.js';
import { summarise } from '../dist/summary.js';

test('training executes fewer operations than the nominal number, because it does not compute the gradient of the inputs', () => {
  const row = parseRow('lstm-32-64-8-10');
  const forward = 2 * 10 * 8 * 4 * 64 * (32 + 64);
  assert.equal(nominalFlops(row, 'infer'), forward);
  assert.equal(nominalFlops(row, 'train'), 3 * forward);
  assert.equal(executedFlops(row, 'train'), 3 * forward - 2 * 10 * 8 * 4 * 64 * 32);
  const square = parseRow('gru-64-64-4-5');
  assert.equal(executedFlops(square, 'train') / nominalFlops(square, 'train'), 5 / 6);
  assert.equal(nominalFlops(rowFor(row, 'stream'), 'stream'), forward / 80);
});

test('rows are selected by their full name or by the first parts of the name', () => {
  assert.deepEqual(
    chooseRows('rnn-3-4-5-6', ALL_ROWS).map((row) => row.name),
    ['rnn-3-4-5-6'],
  );
  const some = chooseRows('gru-128', ALL_ROWS).map((row) => row.name);
  assert.deepEqual(some, ['gru-128-128-1-100', 'gru-128-128-32-100']);
  assert.throws(() => parseRow('lstm-1-2'), /row must be .*, got "lstm-1-2"/);
});

test('options with invalid values are rejected before anything runs', () => {
  const cases = [
    ['peers', ['--only', 'pytorch'], /--only must be node or python, got "pytorch"/],
    ['start', ['--rounds', 'abc'], /--rounds must be a positive integer, got "abc"/],
    ['insight', ['--rounds', '0'], /--rounds must be a positive integer, got "0"/],
    ['insight', ['--threads', 'abc'], /--threads must be a positive integer, got "abc"/],
    ['bench', ['--limit', ''], /--limit must not be empty/],
    ['bench', ['--json', ''], /--json must not be empty/],
  ];
  for (const [script, args, message] of cases) {
    const path = fileURLToPath(new URL(`../dist/${script}.js`, import.meta.url));
    const { stdout, stderr } = spawnSync(process.execPath, [path, ...args], { encoding: 'utf8' });
    assert.match(stdout + stderr, message);
  }
});

test('transpose and toTimeMajor return the values in the new order', () => {
  assert.deepEqual([...transpose(Float32Array.of(1, 2, 3, 4, 5, 6), 2, 3)], [1, 4, 2, 5, 3, 6]);
  const x = { name: 'x', shape: [2, 2, 1], values: Float32Array.of(1, 2, 3, 4) };
  assert.deepEqual([...toTimeMajor(x)], [1, 3, 2, 4]);
});

test('a data file contains the data of a row', () => {
  const folder = mkdtempSync(join(tmpdir(), 'unroll-bench-test-'));
  const data = makeData(parseRow('gru-2-3-2-4'), 'train');
  const file = writeData(join(folder, 'row.bin'), data);
  assert.deepEqual(decodeData(file, readFileSync(file.path)), data);
  rmSync(folder, { recursive: true });
});

test('engines in Chromium have their own peak GFLOP/s; pytorch@chromium and unroll-wasm@firefox are rejected', () => {
  const peaks = { avx2: 100, simd128: 40, simd128Chromium: 60 };
  for (const name of ['unroll-wasm:relaxed@chromium', 'ort-web@chromium', 'tfjs-wasm@chromium'])
    assert.equal(peakFor(engineSpec(name, ''), peaks), 60);
  assert.equal(peakFor(engineSpec('unroll-wasm:relaxed', ''), peaks), 40);
  assert.equal(peakFor(engineSpec('unroll-native', ''), peaks), 100);
  for (const name of ['unroll-native@chromium', 'unroll-wasm@firefox', 'pytorch@chromium'])
    assert.throws(() => engineSpec(name, ''), /engine must be one of .*, got "/);
});

test('an engine answers or rejects requests, and starts again after a crash', async () => {
  let [listener, starts, sent] = [null, 0, null];
  const engine = new EngineProcess((given) => {
    listener = given;
    starts++;
    return { send: (request) => (sent = request), stop: () => {} };
  });
  const ask = (act) => {
    const asked = engine.ask({ do: 'hello' }, 1);
    act(sent);
    return asked;
  };
  assert.equal(await ask(({ id }) => listener.answer({ id, ok: 7 })), 7);
  await assert.rejects(
    ask(({ id }) => listener.answer({ id, error: 'no' })),
    /^Error: no$/,
  );
  const before = listener;
  await assert.rejects(
    ask(() => listener.ended('crash')),
    (error) => error instanceof EngineLost && error.message === 'crash',
  );
  const again = ask(({ id }) => {
    before.ended('a late report of the previous engine'); // is ignored
    listener.answer({ id: id - 1, ok: 1 }); // the answer to another request is ignored
    listener.answer({ id, ok: 8 });
  });
  assert.equal(await again, 8);
  assert.equal(starts, 2);
  await assert.rejects(engine.ask({ do: 'hello' }, 0.01), /no answer to "hello" within 0.01 s/);
});

test('an engine in a process answers, and reports the reason for a crash', async () => {
  const script = `
    console.log('a greeting of its library');
    process.stdin.once('data', (line) => {
      console.log(JSON.stringify({ id: JSON.parse(line).id, ok: process.env.UNROLL_TEST }));
      process.stdin.once('data', () => { console.error('Error: out of luck'); process.exit(3); });
    });`;
  const engine = new EngineProcess(spawned(process.execPath, ['-e', script], { UNROLL_TEST: 'answer' }));
  assert.equal(await engine.ask({ do: 'hello' }, 20), 'answer');
  await assert.rejects(engine.ask({ do: 'hello' }, 20), /exited with code 3. Error: out of luck/);
});

test('Protocol Buffers: integers, strings and nested messages are encoded as in the wire format', () => {
  assert.deepEqual([...encode([integer(1, 300), string(2, 'ab')])], [8, 0xac, 2, 18, 2, 97, 98]);
  assert.deepEqual([...encode([message(3, [integer(1, 1)])])], [26, 2, 8, 1]);
});

test('the oracle agrees with formulas for one unit and one step', () => {
  const data = (name, weights) => ({
    row: parseRow(`${name}-1-1-1-1`),
    data: {
      inputs: [{ name: 'x', shape: [1, 1, 1], values: Float32Array.of(2) }],
      y: { name: 'y', shape: [1, 1], values: Float32Array.of(0) },
      weights: weights.map((list, i) => ({
        name: `${i}`,
        shape: [list.length],
        values: Float64Array.from(list),
      })),
    },
  });
  const sigmoid = (a) => 1 / (1 + Math.exp(-a));
  const run = ({ row, data: made }, variant = 'standard') => oracle(row, made, [0], variant)[0][0];
  assert.equal(run(data('rnn', [[0.5], [9], [0.25]])), Math.tanh(1.25));
  const lstm = data('lstm', [
    [1, 2, 0.5, 0.25],
    [9, 9, 9, 9],
    [0, 0, 0, 0.5],
  ]);
  assert.equal(run(lstm), sigmoid(1) * Math.tanh(sigmoid(2) * Math.tanh(1)));
  const gru = data('gru', [
    [1, 2, 0.5],
    [9, 9, 9],
    [0, 0, 0, 0, 0, 0.5],
  ]);
  assert.equal(run(gru), (1 - sigmoid(2)) * Math.tanh(1 + sigmoid(4) * 0.5));
  assert.equal(run(gru, 'reset-before'), (1 - sigmoid(2)) * Math.tanh(1));
});

test('float16 rounds the weights to the nearest float16 number, and leaves the other data unchanged', () => {
  // 1 + 2^-10 is the next number after 1, and below 2^-14 numbers are 2^-24 apart. Ties are rounded to even.
  const cases = [
    [1, 1],
    [1 + 2 ** -11, 1],
    [1 + 3 * 2 ** -11, 1 + 2 ** -9],
    [-1 - 2 ** -11 - 2 ** -20, -1 - 2 ** -10],
    [1 - 2 ** -12, 1],
    [1 - 3 * 2 ** -12, 1 - 2 ** -10],
    [2 ** -25, 0],
    [3 * 2 ** -25, 2 ** -23],
    [1.25 * 2 ** -20 + 2 ** -26, 1.25 * 2 ** -20],
    [0, 0],
  ];
  for (const [value, rounded] of cases) assert.equal(roundToFloat16(value), rounded);
  const row = parseRow('gru-3-16-2-4');
  const [exact, rounded] = ['float32', 'float16'].map((type) => makeData(row, 'infer', type));
  assert.deepEqual([rounded.inputs, rounded.y], [exact.inputs, exact.y]);
  for (const [i, { values }] of rounded.weights.entries()) {
    assert.notDeepEqual(values, exact.weights[i].values);
    assert.deepEqual(values, Float32Array.from(toFloat16Bits(exact.weights[i].values, ''), fromFloat16Bits));
  }
});

test('wrong results of an engine are detected', () => {
  assert.equal(relativeDifference([1, 2], [1, 2]), 0);
  assert.equal(relativeDifference([1, 2.5], [1, 2]), 0.25);
  assert.equal(relativeDifference([1, Number.NaN], [1, 2]), Number.POSITIVE_INFINITY);
  const row = parseRow('rnn-2-3-2-4');
  const data = makeData(row, 'infer');
  const right = Float32Array.from(oracle(row, data, [0, 1], 'standard').flatMap((h) => [...h]));
  const encoded = (values) => Buffer.from(values.buffer).toString('base64');
  const agreement = new Agreement(row, data);
  assert.equal(agreement.compareOrStore('a', { variant: 'standard', outputs: encoded(right) }), null);
  const wrong = right.map((value, i) => (i === 1 ? value + 0.01 : value));
  assert.match(agreement.compareOrStore('b', { variant: 'standard', outputs: encoded(wrong) }), /disagrees/);
  assert.equal(agreement.compareOrStore('a', { losses: [1, 0.5, 0.25] }), null);
  assert.match(agreement.compareOrStore('b', { losses: [1, 0.5, 0.26] }), /disagrees with a/);
});

test('the report contains ratios, shares of the peak and notes', () => {
  const row = parseRow('lstm-128-128-1-10');
  const benchCase = { row, mode: 'infer', threads: 1 };
  const times = { msMin: 1, msMax: 3, gflops: 40, executedGflops: 40, variant: 'standard' };
  const result = {
    machine: {
      cpu: 'X',
      cores: 2,
      os: 'y',
      node: '1',
      browser: { version: 'Chrome/1', crossOriginIsolated: true },
      peakGflops: {},
      peakGflopsOnThreads: { 1: { avx2: 80 } },
    },
    quick: false,
    weights: 'float32',
    versions: { 'unroll-native': 'u', pytorch: 'p' },
    missing: ['brain'],
    cases: [
      {
        agreed: [],
        measured: [
          { ...benchCase, ...times, engine: 'unroll-native', ms: 2, rounds: [2] },
          { ...benchCase, ...times, engine: 'pytorch', ms: 3, rounds: [3] },
        ],
        absent: [{ ...benchCase, engine: 'ort-node', reason: 'cannot', wrong: false }],
      },
    ],
    javascriptShare: { 'unroll-native': 0.125 },
  };
  const spec = (name, peer) => ({ name, peer, vectors: 'native' });
  const specs = [spec('unroll-native', null), spec('pytorch', 'torch'), spec('ort-node', 'o')];
  const text = report(result, specs);
  assert.match(text, /Chrome\/1, a cross-origin isolated page/);
  assert.equal(jsonResult(result, specs).machine.browser.crossOriginIsolated, true);
  assert.match(text, /\| lstm-128-128-1-10 infer 1 \| +2\.00 \| +50 % \| +1\.50 \| +\[1\] \|/);
  assert.match(text, /\[1\] ort-node: cannot/);
  assert.match(text, /Not available: brain/);
  assert.match(text, /unroll-native 13 %/);
  assert.doesNotMatch(text, /float16/);
  const float16Result = { ...result, weights: 'float16' };
  assert.match(report(float16Result, specs), /weights are rounded to float16/);
  assert.equal(jsonResult(float16Result, specs).weights, 'float16');
});

test('ratios are computed from pairs of adjacent rounds', () => {
  // The machine runs at half its speed in two of three rounds.
  assert.equal(pairedRatio([3, 6, 6], [1, 2, 2]), 3);
  assert.equal(pairedRatio([4], [2, 9, 9]), 2, 'a slow engine has fewer rounds');
  assert.equal(pairedRatio([1, 2, 3, 8], [1, 1, 1, 1]), 2.5);
});

test('the summary contains speed relative to peers, speedup on two threads and share of the peak, each with its lowest row', () => {
  const row = (engine, sizes, threads, ms, ofPeak = null) => {
    const [cell, I, H, B, T] = sizes.split('-').map((part, i) => (i === 0 ? part : Number(part)));
    return { cell, I, H, B, T, mode: 'infer', threads, engine, ms, rounds: [ms], ofPeak };
  };
  const rows = [
    row('unroll-native', 'lstm-8-8-16-5', 1, 2),
    row('other', 'lstm-8-8-16-5', 1, 8),
    row('unroll-native', 'lstm-8-256-32-5', 1, 4, 0.9),
    row('other', 'lstm-8-256-32-5', 1, 4),
    row('unroll-native', 'lstm-8-256-32-5', 2, 2, 0.8),
    row('unroll-native', 'lstm-8-8-16-5', 2, 1.25),
    row('unroll-native', 'lstm-8-8-1-5', 1, 0.5),
    row('unroll-native', 'lstm-8-8-1-5', 2, 5),
  ];
  const { relativeToPeers, scaling, peak } = summarise(rows, 'unroll-native');
  const [only, ...more] = relativeToPeers;
  assert.deepEqual(more, []);
  assert.equal(only.peer, 'other');
  assert.ok(Math.abs(only.ratio - 2) < 1e-12, 'the geometric mean of 4 and 1');
  assert.deepEqual([only.least, only.leastRow, only.rows], [1, 'lstm-8-256-32-5', 2]);
  assert.equal(scaling.length, 1);
  assert.ok(Math.abs(scaling[0].factor - Math.sqrt(2 * 1.6)) < 1e-12);
  assert.deepEqual([scaling[0].least, scaling[0].leastRow, scaling[0].rows], [1.6, 'lstm-8-8-16-5', 2]);
  assert.deepEqual(
    peak.map(({ threads, share, leastRow }) => [threads, share, leastRow]),
    [
      [1, 0.9, 'lstm-8-256-32-5'],
      [2, 0.8, 'lstm-8-256-32-5'],
    ],
  );
});
