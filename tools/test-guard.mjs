// Preloaded into every test file by test.mjs. Without it, a file that ends before all of its tests have run
// (process.exit in a test, or in an imported module) would look successful.
import { after } from 'node:test';
import { isMainThread } from 'node:worker_threads';

if (isMainThread) {
  process.env.NODE_OPTIONS = process.env.UNROLL_OUTER_NODE_OPTIONS ?? ''; // for the processes that tests start
  let finished = false;
  after(() => {
    finished = true;
  });
  process.on('exit', (code) => {
    if (finished) return;
    process.stderr.write('the process ended before all tests of this file had run\n');
    if (code === 0) process.exitCode = 97;
  });
}
