/** `unrolljs/infer` imports no training code, and `loadWith` returns the same models as `load`, with inference-only kernels. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Backend, dense, lstm, sequential, setBackend, toArtifact } from 'unrolljs';
import { Dense, LstmCell, load, loadWith, tensor } from 'unrolljs/infer';

/** Returns the URL to which Node resolves `specifier` in `file`. */
function resolve(specifier: string, file: string): string {
  if (specifier.startsWith('.')) return new URL(specifier, file).href;
  if (!specifier.startsWith('#')) return import.meta.resolve(specifier);
  const root = file.slice(0, file.indexOf('/dist/') + 1);
  const { imports } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as {
    imports: Record<string, { default: string }>;
  };
  return new URL(imports[specifier]!.default, root).href;
}

/** Returns the file URLs of all modules that a file imports, directly or indirectly, statically or dynamically. */
function graph(entry: string, seen = new Set<string>()): Set<string> {
  if (seen.has(entry) || !entry.startsWith('file:')) return seen;
  seen.add(entry);
  const source = readFileSync(fileURLToPath(entry), 'utf8');
  for (const [, specifier] of source.matchAll(/(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g)) {
    if (/^[.#@]|^unrolljs/.test(specifier!)) graph(resolve(specifier!, entry), seen);
  }
  return seen;
}

test('unrolljs/infer imports no training code', () => {
  const files = [...graph(import.meta.resolve('unrolljs/infer'))];
  assert.ok(
    files.some((file) => file.includes('/core/dist/index.bundle.js')),
    'core must be found',
  );
  assert.deepEqual(
    files.filter((file) => file.includes('/train/')),
    [],
  );
  const whole = [...graph(import.meta.resolve('unrolljs'))];
  assert.ok(
    whole.some((file) => file.includes('/train/dist/index.bundle.js')),
    'training code must be found in unrolljs',
  );
});

const x = tensor([[[1], [0.5], [-1]]]);

function files(weights: 'float32' | 'float16' = 'float32'): Promise<Map<string, Uint8Array>> {
  const model = sequential([lstm({ units: 5 }), dense({ units: 2 })], { seed: 3 });
  model.build([[-1, 3, 1]]);
  return toArtifact(model, { weights });
}

test('a kernel that only training needs raises an error that names the import', async () => {
  const { kernels, supports } = (await setBackend('wasm:infer-single')) as Backend;
  assert.equal(supports('lstmForward'), true);
  assert.equal(supports('adam'), false);
  assert.throws(() => kernels.adam({} as never), {
    code: 'inference-only',
    message: /has no adam: to train, import unrolljs/,
  });
});

test('loadWith returns the same model as load, and the inference-only kernels run its LSTM in one fused call', async () => {
  const wanted = (await (await load(await files())).predict(x)).dataSync();
  const rounded = (await (await load(await files('float16'))).predict(x)).dataSync();
  const infer = await setBackend('wasm:infer-single');
  let fused = 0;
  const lstmForward: Backend['kernels']['lstmForward'] = (call) => {
    fused++;
    infer.kernels.lstmForward(call);
  };
  await setBackend({ ...infer, kernels: { ...infer.kernels, lstmForward } });
  const found = (await (await loadWith(await files(), [LstmCell, Dense])).predict(x)).dataSync();
  assert.equal(fused, 1);
  const half = (await (await loadWith(await files('float16'), [LstmCell, Dense])).predict(x)).dataSync();
  await setBackend();
  assert.equal(found.length, 2);
  found.forEach((value, i) => {
    assert.ok(Math.abs(value - wanted[i]!) < 1e-5);
    assert.ok(Math.abs(half[i]! - rounded[i]!) < 1e-6, 'the same rounded weights on either backend');
    assert.ok(half[i] !== value);
  });
});

test('loadWith names a missing class', async () => {
  await assert.rejects(
    loadWith(await files(), [Dense]),
    /There is no layer class "LSTM".*Known classes: Sequential, Dense/,
  );
});
