// What tools/test-browser.mjs runs in a page: the kernel cases, the backend contract and a short training
// run on every variant that the page can load.
import { choiceFor, listVariants, loadKernels, loadKernelsSync } from '@unroll/kernels';
import { runBackends } from './browser-backends.js';
import { kernelCases } from './kernel-cases.js';

export interface BrowserResult {
  name: string;
  /** Why it failed; absent if it passed. */
  error?: string;
  /** Why it was not run. */
  skipped?: string;
}

/** Runs everything, reporting each result as it comes. */
export const run = async (report: (result: BrowserResult) => void): Promise<void> => {
  const attempt = async (name: string, work: () => void | Promise<void>): Promise<void> => {
    try {
      await work();
      report({ name });
    } catch (error) {
      report({ name, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  };

  await attempt('a synchronous load says what to do instead', () => {
    try {
      loadKernelsSync();
    } catch (error) {
      if (error instanceof Error && error.message.includes('ready()')) return;
      throw error;
    }
    throw new Error('it did not throw');
  });
  await attempt('the default has threads exactly where the page is cross-origin isolated', async () => {
    const { variant } = await loadKernels();
    const wanted = crossOriginIsolated && navigator.hardwareConcurrency > 1 ? 'strict-threads' : 'strict';
    if (variant !== wanted) throw new Error(`${variant}, not ${wanted}`);
  });
  if (!crossOriginIsolated) {
    await attempt('threads without isolation are refused with the headers that are missing', async () => {
      const error = await loadKernels({ threads: true }).then(
        () => undefined,
        (reason: Error) => reason,
      );
      if (!error?.message.includes('Cross-Origin-Opener-Policy'))
        throw error ?? new Error('it did not throw');
    });
  }
  for (const variant of listVariants()) {
    const module = await loadKernels(choiceFor(variant)).catch((error: Error) => error);
    if (module instanceof Error) {
      report({ name: `${variant}: loads`, error: module.message });
      continue;
    }
    for (const { name, run: work } of kernelCases) await attempt(`${variant}: ${name}`, () => work(module));
  }
  await runBackends(attempt, (name, skipped) => report({ name, skipped }));
};
