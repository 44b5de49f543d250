// What a bundler leaves out of a page that only runs models, and what happens to who needs it after all: each program
// is bundled as an application's is, and run here, on the reference backend.
import assert from 'node:assert/strict';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** The exports of a program, bundled for browsers. */
const bundled = async (source) => {
  const { outputFiles } = await build({
    ...{ bundle: true, minify: true, format: 'esm', platform: 'browser', target: 'es2022', write: false },
    stdin: { contents: source, resolveDir: join(root, 'packages/unrolljs') },
  });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`);
};

test('a page without what makes weights runs models, and says how to make one', async () => {
  const { model } = await bundled(`import { Dense, runnable, Sequential, setBackend } from 'unrolljs/infer';
    await setBackend('reference');
    export const model = runnable(new Sequential([new Dense({ units: 1, kernelRegularizer: 'l2' })]));`);
  const refused = { code: 'state', message: /Use sequential\(\), model\(\) or load\(\)\./ };
  assert.throws(() => model.build([[-1, 2]]), refused);
  model.build([[-1, 2]], { values: (_name, [rows]) => [3, 4].slice(0, rows) });
  assert.deepEqual((await model.predict([[1, 2]])).toArray(), [[14]]);
  const [kernel] = model.parameters;
  assert.throws(() => kernel.regularizer(kernel), refused);
});

test('a layer that draws while it runs says how to, where the page has no random streams', async () => {
  const { model } = await bundled(`import { Layer, runnable, Sequential, setBackend } from 'unrolljs/infer';
    await setBackend('reference');
    class Noise extends Layer {
      outputShapes(inputs) { return [...inputs]; }
      call(inputs, { random }) { return random.uniform(1) && inputs; }
    }
    export const model = runnable(new Sequential([new Noise({})]));`);
  model.build([[-1, 2]], null);
  await assert.rejects(model.predict([[1, 2]]), { code: 'state', message: /new RandomStream\(seed\)/ });
});

test('sequential brings what makes weights', async () => {
  const { model } = await bundled(`import { Dense, sequential, setBackend } from 'unrolljs/infer';
    await setBackend('reference');
    export const model = sequential([new Dense({ units: 2 })]);`);
  model.build([[-1, 3]]);
  assert.ok(model.parameters[0].dataSync().some((value) => value !== 0));
});
