// `unroll convert model app.js`: a module that predicts in Node with one import.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { predict, ready, tensor } from '@unroll/core';
import { saveArtifact } from '@unroll/formats/node';
import {
  bidirectional,
  concatenate,
  dense,
  gru,
  input,
  lstm,
  model,
  type Network,
  sequential,
} from '@unroll/nn';

const bin = fileURLToPath(new URL('../../bin/unroll.js', import.meta.url));
const x = [[[1, 2, 3], [0, -1, 0.5]]]; // biome-ignore format: a sequence
const models: Record<string, () => Network> = {
  sequential: () =>
    sequential([input({ shape: [null, 3] }), lstm({ units: 4 }), dense({ units: 2, activation: 'softmax' })]),
  functional: () => {
    const source = input({ shape: [null, 3] });
    const bothDirections = bidirectional(gru({ units: 2 })).apply(source);
    return model({
      inputs: source,
      outputs: concatenate().apply([bothDirections, lstm({ units: 2 }).apply(source)]),
    });
  },
};

describe('a module with a model', () => {
  // The folder is in the repository, so that the module finds unrolljs.
  const root = fileURLToPath(new URL('../../../../build', import.meta.url));
  mkdirSync(root, { recursive: true });
  const folder = mkdtempSync(join(root, 'app-test-'));
  before(() => ready());
  after(() => rmSync(folder, { recursive: true }));
  const run = (args: readonly string[]): string =>
    execFileSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });

  for (const [name, make] of Object.entries(models)) {
    test(`predicts like the ${name} model, with the weights inside, in a separate file, and in 16 bits`, async () => {
      const network = make();
      network.build();
      await saveArtifact(join(folder, name), network);
      const expected = Array.from(await (await predict(network, tensor(x))).data());
      for (const [options, tolerance] of [
        [[], 0],
        [['--weights-beside'], 0],
        [['--float16'], 1e-2],
      ] as const) {
        run([bin, 'convert', name, `${name}.js`, ...options]);
        const program = `import { predict } from './${name}.js';
          console.log(JSON.stringify(Array.from(await (await predict(${JSON.stringify(x)})).data())));`;
        writeFileSync(join(folder, 'main.js'), program);
        const values = JSON.parse(run(['main.js'])) as number[];
        values.forEach((value, i) => {
          assert.ok(Math.abs(value - (expected[i] ?? Number.NaN)) <= tolerance, `${value} ${expected[i]}`);
        });
      }
      assert.match(
        readFileSync(join(folder, `${name}.d.ts`), 'utf8'),
        /export declare const predict: \(x: ModelValues/,
      );
    });
  }

  test('imports only the classes that the model needs', () => {
    const text = readFileSync(join(folder, 'sequential.js'), 'utf8');
    assert.match(text, /^import \{ Dense, LstmCell, loadWith \} from 'unrolljs\/infer';$/m);
    assert.ok(statSync(join(folder, 'sequential.js')).size < 4000);
  });
});
