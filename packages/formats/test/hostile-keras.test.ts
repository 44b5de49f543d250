/** Hostile Keras files are refused: links and data outside the file, zip bombs, and configs that would need code. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { ready, UnrollError } from '@unroll/core';
import { encodeUtf8 } from '@unroll/core/internal';
import { fromZip, toZip } from '@unroll/formats';
import { bytesSource, formatNamed } from '@unroll/formats/convert';
import { dense, input, sequential } from '@unroll/nn';

const folder = new URL('../../testkit/goldens/formats/keras/', import.meta.url);
const LINKS = ['soft', 'external_link', 'external_data', 'virtual', 'huge', 'cycle', 'nested_type'];
const links = await fromZip(
  readFileSync(new URL('links.zip', folder)),
  LINKS.map((name) => `${name}.weights.h5`),
);
const file = (await fromZip(readFileSync(new URL('files.zip', folder)), ['sequential_lstm.keras'])).get(
  'sequential_lstm.keras',
)!;
const parts = await fromZip(file, ['config.json', 'metadata.json', 'model.weights.h5']);
await ready();
const keras = await formatNamed('keras');
const h5 = await formatNamed('h5');

/** Returns the file with a changed config. */
function withConfig(change: (text: string) => string): Uint8Array {
  const config = Buffer.from(parts.get('config.json')!).toString();
  const changed = change(config);
  assert.notEqual(changed, config);
  return toZip(new Map([...parts, ['config.json', encodeUtf8(changed)]]));
}
const read = (bytes: Uint8Array) => keras.read(bytesSource(bytes, 'model.keras'));

describe('HDF5 files that refer to data outside the file, or whose datasets cannot be read', () => {
  const expected: Record<string, RegExp> = {
    soft: /vars\/0 is a soft link, and links are not followed/,
    external_link: /vars\/0 refers to another file, and links are not followed/,
    external_data: /weights\.h5 cannot be read: .*vars\/0 is damaged/,
    virtual: /vars\/0 is a virtual dataset, whose values are elsewhere/,
    huge: /vars\/0 has more values than the file can contain/,
    cycle: /it has no dataset .*vars\/0/,
    nested_type: /vars\/0 has the data type class 6, which is not numeric/,
  };
  for (const name of LINKS) {
    test(`${name}.weights.h5 is refused`, async () => {
      const model = sequential([input({ shape: [2] }), dense({ units: 1 })]);
      model.build();
      const source = bytesSource(links.get(`${name}.weights.h5`)!, `${name}.weights.h5`);
      await assert.rejects(h5.read(source, { model }), (error) => {
        assert.ok(error instanceof UnrollError && error.code === 'format');
        assert.match(error.message, expected[name]!);
        return true;
      });
    });
  }
});

describe('HDF5 heaps through which the library would walk forever', () => {
  test('free space of size 0, and an object that is longer than the heap, are refused', async () => {
    const name = 'sequential_lstm.h5';
    const original = (await fromZip(readFileSync(new URL('files.zip', folder)), [name])).get(name)!;
    const heap = Buffer.from(original).indexOf('GCOL');
    assert.ok(heap > 0);
    for (const [index, size] of [
      [0, 0n],
      [3, 1n << 34n],
    ] as const) {
      const bytes = original.slice();
      const view = new DataView(bytes.buffer);
      view.setUint16(heap + 16, index, true);
      view.setBigUint64(heap + 24, size, true);
      await assert.rejects(h5.read(bytesSource(bytes, name)), /the heap at byte \d+ is damaged/);
    }
  });
});

describe('zip files of Keras', () => {
  test('a zip bomb of less than 1 kB is refused within 50 ms', async () => {
    const bomb = toZip(new Map([['config.json', encodeUtf8(`{"a":"${'x'.repeat(500)}"}`)]])).slice();
    const view = new DataView(bomb.buffer);
    const at = bomb.length - 22 - 46 - 'config.json'.length;
    view.setUint16(at + 10, 8, true); // deflated
    view.setUint32(at + 24, 2 ** 31, true); // size when decompressed
    const began = performance.now();
    await assert.rejects(read(bomb), /would need 2147483648 bytes when decompressed/);
    assert.ok(performance.now() - began < 50);
  });

  test('duplicate and missing files are refused, and paths that lead out of the zip are ignored', async () => {
    const twice = toZip(new Map([...parts, ['config.jsoN', parts.get('config.json')!]])).slice();
    const text = Buffer.from(twice).toString('latin1').replaceAll('config.jsoN', 'config.json');
    await assert.rejects(
      read(Uint8Array.from(Buffer.from(text, 'latin1'))),
      /it contains config\.json twice/,
    );
    await assert.rejects(
      read(toZip(new Map([...parts].filter(([name]) => name !== 'model.weights.h5')))),
      /is not a Keras model: it has no model\.weights\.h5/,
    );
    const { model } = await read(toZip(new Map([...parts, ['../../evil', encodeUtf8('x')]])));
    assert.equal(model.layers.length, 2);
  });
});

describe('configs', () => {
  test('Lambda layers and custom layers are refused, and the error names the layer', async () => {
    const lambda = withConfig((text) => text.replace('"class_name": "Dense"', '"class_name": "Lambda"'));
    await assert.rejects(
      read(lambda),
      /Layer "out" \(Lambda\) cannot be imported: it contains Python code, which is never/,
    );
    const custom = withConfig((text) => text.replace('"class_name": "Dense"', '"class_name": "MyDense"'));
    await assert.rejects(
      read(custom),
      /Layer "out" \(MyDense\) cannot be imported: .*call registerLayer before the import/,
    );
  });

  test('policies of quantised layers are refused', async () => {
    const policy = '"class_name": "DTypePolicy", "config": {"name": "float32"}';
    const withPolicy = (to: string) =>
      read(
        withConfig((text) =>
          text.replace(
            `{"name": "lstm", "trainable": true, "dtype": {"module": "keras", ${policy}`,
            `{"name": "lstm", "trainable": true, "dtype": {"module": "keras", ${to}`,
          ),
        ),
      );
    await assert.rejects(
      withPolicy('"class_name": "DTypePolicy", "config": {"name": "int8_from_float32"}'),
      /Layer "lstm" \(LSTM\) cannot be imported: its dtype policy is int8_from_float32; Unroll has no quantised/,
    );
    const quantised =
      '"class_name": "QuantizedDTypePolicy", "config": {"mode": "int8", "source_name": "float32"}';
    await assert.rejects(
      withPolicy(quantised),
      /Layer "lstm" .*its dtype policy .*QuantizedDTypePolicy.* has no name; Unroll has no quantised layers/,
    );
    const { model } = await withPolicy('"class_name": "DTypePolicy", "config": {"name": "int32"}');
    assert.equal(model.layers.length, 2);
  });

  test('options and values that Unroll does not support are refused, and the error names them', async () => {
    const cases: [from: string, to: string, message: RegExp][] = [
      [
        '"use_bias": true',
        '"use_bias": true, "magic": 3',
        /Layer "lstm" \(LSTM\) .* has the option magic \(3\)/,
      ],
      ['"activation": "tanh"', '"activation": "wave"', /Layer "lstm" \(LSTM\) has the activation "wave"/],
      ['"units": 4', '"units": 1e9', /\[3, 4000000000\].*got \[3, 16\]/],
      ['"units": 4', '"units": -4', /units must be a positive integer, got -4/],
      ['"units": 4', '"units": "4"', /units of Layer "lstm" \(LSTM\) must be a number, got "4"/],
      [
        '"class_name": "Sequential"',
        '"class_name": "MyModel"',
        /its model class MyModel defines call\(\) in Python/,
      ],
      ['"name": "out"', '"name": "__proto__"', /./],
    ];
    for (const [from, to, message] of cases.slice(0, -1))
      await assert.rejects(read(withConfig((text) => text.replace(from, to))), message);
    const [[from, to]] = cases.slice(-1);
    const { model } = await read(withConfig((text) => text.replace(from, to)));
    assert.equal(model.layers[1].name, '__proto__');
    assert.equal(({} as Record<string, unknown>).units, undefined);
  });
});
