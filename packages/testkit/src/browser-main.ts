// The tests that tools/test-browser.mjs runs in a page: loading of kernels, the kernel cases on every variant, a bundled app,
// the import of PyTorch models, the backend contract and short training runs.
import { predict, setBackend, tensor } from '@unroll/core';
import { toArtifact } from '@unroll/formats';
import { choiceFor, listVariants, loadKernels, loadKernelsSync } from '@unroll/kernels';
import { dense, lstm, sequential } from '@unroll/nn';
import { runBackends } from './browser-backends.js';
import { conversions } from './browser-convert.js';
import { kernelCases } from './kernel-cases.js';

/** The URL of a small app: tools/size.mjs bundles it, and tools/test-browser.mjs serves it. */
const APP = '/build/size-app/app.js';

/** Checks that the app predicts the same values as the reference and fetches only the kernels for inference. */
async function testApp(): Promise<void> {
  const x = [[[1], [0.5], [-1]]];
  const model = sequential([lstm({ units: 8 }), dense({ units: 2 })], { seed: 1 });
  await setBackend('reference');
  const expected = (await predict(model, tensor(x))).dataSync();
  performance.clearResourceTimings(); // earlier requests may have filled the buffer
  const app = (await import(APP)) as {
    predict(files: Map<string, Uint8Array>, x: number[][][]): Promise<Float32Array>;
  };
  const predicted = await app.predict(await toArtifact(model), x);
  if (
    predicted.length !== expected.length ||
    predicted.some((value, i) => !(Math.abs(value - expected[i]) < 1e-5))
  )
    throw new Error(`expected ${expected}, got ${predicted}`);
  const kernels = performance
    .getEntriesByType('resource')
    .filter(({ name }) => name.includes('/size-app/') && name.endsWith('.wasm'));
  if (kernels.length !== 1 || !kernels[0].name.includes('kernels-infer'))
    throw new Error(
      `expected one request for kernels-infer, got ${kernels.map(({ name }) => name).join(', ') || 'none'}`,
    );
}

export interface BrowserResult {
  name: string;
  /** Why the test failed. Absent if it passed or was skipped. */
  error?: string;
  /** Why the test was skipped. Absent if it ran. */
  skipped?: string;
}

/** Runs all tests and reports each result immediately. */
export const run = async (report: (result: BrowserResult) => void): Promise<void> => {
  const attempt = async (name: string, work: () => void | Promise<void>): Promise<void> => {
    try {
      await work();
      report({ name });
    } catch (error) {
      report({ name, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  };

  await attempt('loading kernels synchronously fails with an error that names ready()', () => {
    try {
      loadKernelsSync();
    } catch (error) {
      if (error instanceof Error && error.message.includes('ready()')) return;
      throw error;
    }
    throw new Error('expected an error, got none');
  });
  await attempt(
    'the default build has threads if and only if the page is cross-origin isolated and there are several cores',
    async () => {
      const { variant } = await loadKernels();
      const expected = crossOriginIsolated && navigator.hardwareConcurrency > 1 ? 'strict-threads' : 'strict';
      if (variant !== expected) throw new Error(`expected ${expected}, got ${variant}`);
    },
  );
  if (!crossOriginIsolated) {
    await attempt(
      'requesting threads without isolation fails with an error that names the missing headers',
      async () => {
        const error = await loadKernels({ threads: true }).then(
          () => undefined,
          (reason: Error) => reason,
        );
        if (!error?.message.includes('Cross-Origin-Opener-Policy'))
          throw error ?? new Error('expected an error, got none');
      },
    );
  }
  for (const variant of listVariants()) {
    const module = await loadKernels(choiceFor(variant)).catch((error: Error) => error);
    if (module instanceof Error) {
      report({ name: `${variant}: loads`, error: module.message });
      continue;
    }
    for (const { name, run: runCase } of kernelCases)
      await attempt(`${variant}: ${name}`, () => runCase(module));
  }
  await attempt(
    'a bundled app with unrolljs/infer predicts and loads only the kernels for inference',
    testApp,
  );
  for (const [name, work] of Object.entries(conversions)) await attempt(name, work);
  await runBackends(attempt, (name, skipped) => report({ name, skipped }));
};
