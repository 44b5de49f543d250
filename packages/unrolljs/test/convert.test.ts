// The public functions that import models of other tools (from a path, bytes, a File or a URL) and export models.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { dense, input, load, lstm, sequential, toArtifact, toZip } from 'unrolljs';
import {
  describeModel,
  exportPyTorch,
  importModel,
  importPyTorch,
  readNpz,
  writeNpz,
} from 'unrolljs/convert';

const GOLDENS = fileURLToPath(new URL('../../testkit/goldens/formats/pytorch', import.meta.url));
const { cases } = JSON.parse(readFileSync(join(GOLDENS, 'cases.json'), 'utf8'));
interface Case {
  file: string;
  map: unknown;
  x: { shape: number[]; values: string };
}
/** A file of torch.save that importPyTorch reads without the option `map`. */
const { file, x } = (Object.values(cases) as Case[]).find(
  (golden) => golden.map === null && golden.file.endsWith('.pt') && golden.x.shape.length === 3,
) as Case;
const path = join(GOLDENS, file);
const bytes = new Uint8Array(readFileSync(path));
const values = new Float64Array(Uint8Array.from(Buffer.from(x.values, 'base64')).buffer);
const [B, T, I] = x.shape;
const rows = Array.from({ length: B }, (_, b) =>
  Array.from({ length: T }, (__, t) => Array.from(values.subarray((b * T + t) * I, (b * T + t + 1) * I))),
);

let expected: unknown;
let folder = '';
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'unroll-convert-'));
  expected = (await (await importPyTorch(path)).model.predict(rows)).toArray();
});
after(() => rmSync(folder, { recursive: true }));

describe('load recognises a file of PyTorch', () => {
  const check = async (source: Parameters<typeof load>[0]): Promise<void> =>
    assert.deepEqual((await (await load(source)).predict(rows)).toArray(), expected);
  test('by path, whatever its name', async () => {
    await check(path);
    writeFileSync(join(folder, 'weights.dat'), bytes);
    await check(join(folder, 'weights.dat'));
  });
  test('as bytes', () => check(bytes));
  test('as a File', () => check(new File([bytes], 'dropped.pt')));
  test('but loads a model of Unroll from its zip', async () => {
    const model = sequential([input({ shape: [null, 3] }), lstm({ units: 2 })]);
    model.build();
    const loaded = await load(toZip(await toArtifact(model)));
    assert.equal(loaded.countParams(), model.countParams());
  });
  test('but importModel rejects a zip of another tool that begins with a folder entry', async () => {
    const zip = toZip(
      new Map([
        ['archive/', new Uint8Array()],
        ['archive/data.pkl', Uint8Array.of(0x80, 2)],
      ]),
    );
    await assert.rejects(
      importModel(new File([zip], 'w.pt')),
      /w\.pt is not a model file that Unroll can read/,
    );
  });

  test('but loads a model of Unroll from a zip that begins with a folder entry, as zip -r writes it', async () => {
    const model = sequential([input({ shape: [null, 3] }), lstm({ units: 2 })]);
    model.build();
    const files = Array.from(
      await toArtifact(model),
      ([name, content]) => [`model/${name}`, content] as const,
    );
    const zip = toZip(new Map([['model/', new Uint8Array()], ...files]));
    for (const source of [zip, new File([zip], 'model.zip')]) {
      assert.equal((await load(source)).countParams(), model.countParams());
      assert.equal((await importModel(source)).model.countParams(), model.countParams());
    }
  });
});

describe('a file at a URL', () => {
  for (const ranges of [true, false]) {
    test(ranges ? 'is read with range requests' : 'is read at once if ranges are ignored', async (t) => {
      const requests: string[] = [];
      // This file is longer than the range of the first request.
      const large = join(folder, 'large.safetensors');
      const model = sequential([input({ shape: [null, 3] }), lstm({ units: 80 }), dense({ units: 2 })]);
      model.build();
      writeFileSync(large, (await exportPyTorch(model, { format: 'safetensors' })).weights);
      const content = readFileSync(large);
      const server = createServer((request, response) => {
        const [, from, to] = /bytes=(\d+)-(\d+)/.exec(request.headers.range ?? '') ?? [];
        requests.push(`${from}-${to}`);
        if (request.url !== '/large.safetensors') return void response.writeHead(404).end();
        if (!ranges || from === undefined) return void response.writeHead(200).end(content);
        const part = content.subarray(Number(from), Number(to) + 1);
        const range = `bytes ${from}-${Number(from) + part.length - 1}/${content.length}`;
        response.writeHead(206, { 'content-range': range }).end(part);
      });
      await new Promise<void>((resolve) => server.listen(0, resolve));
      t.after(() => server.close());
      const address = `http://localhost:${(server.address() as AddressInfo).port}`;
      const description = await describeModel(`${address}/large.safetensors`);
      assert.equal(description.tensors.length, 6);
      assert.equal(requests.length, 1);
      const imported = await importModel(`${address}/large.safetensors`);
      assert.equal(imported.model.countParams(), model.countParams());
      await assert.rejects(
        importModel(`${address}/none.pt`),
        /There is no file at .*none\.pt \(status 404\)/,
      );
    });
  }
});

describe('PyTorch', () => {
  test('a model is exported and imported again', async () => {
    const model = sequential([
      input({ shape: [null, 3] }),
      lstm({ units: 4, returnSequences: true }),
      dense({ units: 2 }),
    ]);
    model.build();
    const { weights, python } = await exportPyTorch(model);
    assert.match(python, /self\.lstm = nn\.LSTM\(3, 4, batch_first=True\)/);
    const { model: back, report } = await importPyTorch(weights);
    const sequence = [
      [
        [1, 2, 3],
        [0, -1, 1],
      ],
    ];
    const [a, b] = [await model.predict(sequence), await back.predict(sequence)];
    assert.deepEqual(a.toArray(), b.toArray());
    assert.ok(
      report.mapped.some(({ from, to }) => from === 'lstm.weight_hh_l0' && to === 'lstm/recurrent_kernel'),
    );
  });
  test('importPyTorch rejects a model of Unroll', async () => {
    const model = sequential([input({ shape: [null, 3] }), lstm({ units: 4 })]);
    model.build();
    await assert.rejects(
      importPyTorch(toZip(await toArtifact(model))),
      /is a model saved by Unroll, expected a PyTorch state dict/,
    );
  });
});

test('NumPy arrays are written and read back', async () => {
  const written = new Map([
    ['x', { shape: [2, 3], values: Float32Array.of(1, 2, 3, 4, 5, 6) }],
    ['scalar', { shape: [], values: Float64Array.of(0.1) }],
  ]);
  const read = await readNpz(writeNpz(written));
  assert.deepEqual([...read.keys()], ['x', 'scalar']);
  assert.deepEqual(read.get('x'), { shape: [2, 3], dtype: 'f4', values: Float32Array.of(1, 2, 3, 4, 5, 6) });
  assert.deepEqual(read.get('scalar'), { shape: [], dtype: 'f8', values: Float64Array.of(0.1) });
});
