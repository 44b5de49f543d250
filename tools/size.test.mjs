// Tests bundles that only run models: they do not contain the code for initial weights and random numbers, and a use of that
// code throws an error that says what to do. Each program is bundled with esbuild and runs on the reference backend.
import assert from 'node:assert/strict';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** Bundles a program for browsers, runs it, and returns its exports. */
const bundled = async (source) => {
  const { outputFiles } = await build({
    ...{ bundle: true, minify: true, format: 'esm', platform: 'browser', target: 'es2022', write: false },
    stdin: { contents: source, resolveDir: join(root, 'packages/unrolljs') },
  });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`);
};

test('a bundle without weight initializers runs models; building a model throws an error that says what to do', async () => {
  const { model } = await bundled(`import { Dense, runnable, Sequential, setBackend } from 'unrolljs/infer';
    await setBackend('reference');
    export const model = runnable(new Sequential([new Dense({ units: 1, kernelRegularizer: 'l2' })]));`);
  const expected = {
    code: 'state',
    message: /only runs models\. To do more, create models with load\(\), sequential\(\) or model\(\)\./,
  };
  assert.throws(() => model.build([[-1, 2]]), expected);
  model.build([[-1, 2]], { values: (_name, [rows]) => [3, 4].slice(0, rows) });
  assert.deepEqual((await model.predict([[1, 2]])).toArray(), [[14]]);
  const [kernel] = model.parameters;
  assert.throws(() => kernel.regularizer(kernel), expected);
});

test('a layer that needs random numbers in a bundle without a generator throws an error that says what to do', async () => {
  const { model } = await bundled(`import { Layer, runnable, Sequential, setBackend } from 'unrolljs/infer';
    await setBackend('reference');
    class Noise extends Layer {
      outputShapes(inputs) { return [...inputs]; }
      call(inputs, { random }) { return random.uniform(1) && inputs; }
    }
    export const model = runnable(new Sequential([new Noise({})]));`);
  model.build([[-1, 2]], null);
  await assert.rejects(model.predict([[1, 2]]), {
    code: 'state',
    message: /import unrolljs instead of unrolljs\/infer/,
  });
});

test('a bundle with sequential() contains the weight initializers', async () => {
  const { model } = await bundled(`import { Dense, sequential, setBackend } from 'unrolljs/infer';
    await setBackend('reference');
    export const model = sequential([new Dense({ units: 2 })]);`);
  model.build([[-1, 3]]);
  assert.ok(model.parameters[0].dataSync().some((value) => value !== 0));
});

test('decoders of images are only in bundles of unrolljs/images', async () => {
  const filesOf = async (entry) => {
    const { metafile } = await build({
      ...{ bundle: true, format: 'esm', platform: 'browser', target: 'es2022', write: false, metafile: true },
      stdin: { contents: `export * from '${entry}';`, resolveDir: join(root, 'packages/unrolljs') },
    });
    return Object.keys(metafile.inputs);
  };
  const decoders = (files) =>
    files.filter((file) => /fast-png|jpeg-js|fflate|data\/dist\/images\.js/.test(file));
  for (const entry of ['infer', 'pipeline', 'classify', 'describe'])
    assert.deepEqual(decoders(await filesOf(`unrolljs/${entry}`)), [], entry);
  assert.ok(!(await filesOf('unrolljs/infer')).some((file) => /frames|describe/.test(file)));
  assert.ok(decoders(await filesOf('unrolljs/images')).length > 3);
});
